# Debian's sqlite3 for 32-bit Arm.
{ debs }:
let
  l = import ./lib.nix { arch = "armhf"; };
  deb = import (/. + debs + "/armhf/pkgs.nix") { inherit (l) mkDeb; };
in { inherit (deb) sqlite3; }
