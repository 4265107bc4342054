# A program with 250 objects, each package a store path of its own.
{ debs }:
let
  l = import ./lib.nix { arch = "amd64"; };
  deb = import (/. + debs + "/bench/pkgs.nix") { inherit (l) mkDeb; };
in { inherit (deb) ffmpeg; }
