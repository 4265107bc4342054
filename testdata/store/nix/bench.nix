# A program with 210 objects, each package a store path of its own.
{ debs }:
let
  l = import ./lib.nix { arch = "amd64"; };
  deb = import (/. + debs + "/bench/pkgs.nix") { inherit (l) mkDeb; };
in deb.ffmpeg
