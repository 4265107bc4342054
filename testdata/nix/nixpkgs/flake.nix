# Stands for nixpkgs where there is no network: as much of it as ../../../flake.nix uses, by the same
# names and with the same traps. The tests put the program nixbundle beside this file; what is built is
# built by this machine's bash.
{
  outputs =
    { self }:
    let
      lib = rec {
        inherit (builtins)
          concatLists
          concatStringsSep
          head
          isString
          ;
        systems.flakeExposed = [
          "x86_64-linux"
          "aarch64-linux"
          "x86_64-darwin"
          "armv6l-linux"
          "armv7l-linux"
          "i686-linux"
          "aarch64-darwin"
          "powerpc64le-linux"
          "riscv64-linux"
          "x86_64-freebsd"
        ];
        licenses.mit.spdxId = "MIT";
        genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
        assertOneOf =
          name: value: known:
          if builtins.elem value known then true else throw "${name} must be one of these";
        optionalString = cond: text: if cond then text else "";
        optionalAttrs = cond: attrs: if cond then attrs else { };
        mapAttrsToList = f: attrs: map (name: f name attrs.${name}) (builtins.attrNames attrs);
        toList = x: if builtins.isList x then x else [ x ];
        versionAtLeast = a: b: builtins.compareVersions a b >= 0;
        isDerivation = x: x.type or null == "derivation";
        getBin = drv: drv.bin or drv.out or drv;
        getExe = drv: "${getBin drv}/bin/${drv.meta.mainProgram}";
        escapeShellArg =
          arg:
          let
            text = builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString arg);
          in
          if builtins.match "[[:alnum:],._+:@%/-]+" text == null then "'${text}'" else text;
        escapeShellArgs = args: concatStringsSep " " (map escapeShellArg args);
        strings.sanitizeDerivationName =
          text:
          let
            parts = builtins.split "[^[:alnum:]+._?=-]+" (builtins.unsafeDiscardStringContext text);
          in
          concatStringsSep "" (map (part: if isString part then part else "-") parts);
        fileset = {
          unions = files: map (file: assert builtins.pathExists file; file) files;
          toSource = { root, fileset }: builtins.deepSeq fileset root;
        };
      };

      # As stdenv's: what is no argument of the derivation becomes an attribute of the result.
      build =
        system: name: attrs: script:
        derivation (
          {
            inherit name system;
            builder = "/bin/bash";
            args = [
              "-c"
              ''
                set -eu -o pipefail
                if [ -e .attrs.sh ]; then . ./.attrs.sh; out=''${outputs[out]}; fi
                export PATH=/usr/bin:/bin SOURCE_DATE_EPOCH=315532800
                ${script}
                :
              ''
            ];
          }
          // removeAttrs attrs [
            "meta"
            "passthru"
          ]
        )
        // { inherit (attrs) meta; }
        // attrs.passthru;

      packagesFor =
        system:
        let
          pkgs = {
            stdenv.buildPlatform = { inherit system; };
            stdenv.hostPlatform = {
              inherit system;
              isLinux = builtins.match ".*-linux" system != null;
            };
            buildPackages = pkgs;
            callPackage =
              f: args:
              let
                f' = if builtins.isFunction f then f else import f;
              in
              f' (builtins.intersectAttrs (builtins.functionArgs f') (pkgs // { inherit lib; }) // args);
            runCommand =
              name: attrs:
              build system name (
                {
                  meta = { };
                  passthru = { };
                }
                // attrs
              );
            buildGoModule =
              attrs:
              builtins.seq attrs.src build system "${attrs.pname}-${attrs.version}" {
                inherit (attrs) meta;
                passthru.given = attrs;
              } "mkdir -p $out/bin; cp ${./nixbundle} $out/bin/nixbundle";
            go.version = "1.26.0";
            hello = build system "hello-2.12" {
              meta.mainProgram = "hello";
              passthru = { };
            } "exit 1";
            mkShell =
              attrs:
              build system "nix-shell" {
                meta = { };
                passthru = { };
                uses = attrs.packages ++ attrs.inputsFrom;
              } "exit 1";
            # Cross: the build platform stays, and what the packages need at build time is the build platform's.
            pkgsCross.aarch64-multiplatform = pkgs // {
              stdenv = pkgs.stdenv // {
                hostPlatform = (packagesFor "aarch64-linux").stdenv.hostPlatform;
              };
              runCommand = throw "pkgsCross.runCommand: what runs here is of buildPackages";
            };
          }
          // lib.genAttrs [ "installShellFiles" "gnumake" "hyperfine" "patchelf" "zstd" "nixfmt-tree" ] (
            name:
            build system name {
              meta = { };
              passthru = { };
            } "exit 1"
          );
        in
        pkgs;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs lib.systems.flakeExposed packagesFor;
    };
}
