# One folder of links, SET-VARIANT, to every store path that the tests use: one
# evaluation, one root for Nix's garbage collector.
{ debs }:
let
  l = import ./lib.nix { };
  links = set: file:
    let results = import file { inherit debs; };
    in map (v: "ln -s ${results.${v}} $out/${set}-${v}") (builtins.attrNames results);
in l.mkSh "results" { } (builtins.concatStringsSep "\n"
  ([ "mkdir $out" ] ++ links "sensor" ./sensor.nix ++ links "armhf" ./armhf.nix ++ links "misc" ./misc.nix))
