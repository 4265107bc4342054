{
  description = "One archive of a program that Nix built, and what the dynamic loader will mix up in it";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      # nixbundle reads ELF files on any machine. Only verify --run wants Linux.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "armv7l-linux"
        "riscv64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forSystems = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      package =
        {
          lib,
          go,
          buildGoModule,
          buildGo126Module ? null,
          installShellFiles,
        }:
        # go.mod wants Go 1.26, which is not every nixpkgs' default.
        (if lib.versionAtLeast go.version "1.26" then buildGoModule else buildGo126Module) {
          pname = "nixbundle";
          version = "0-unstable";
          # What is built and no more: bundles are built again when this changes.
          src = lib.fileset.toSource {
            root = ./.;
            fileset = lib.fileset.unions [
              ./go.mod
              ./go.sum
              ./bundle
              ./closure
              ./cmd
              ./elfpatch
            ];
          };
          vendorHash = "sha256-3XpJXXBtuLN0PI2GyQaht5al/fWwBKoVOwvIpkOPN3g="; # make vendor-hash
          subPackages = [ "cmd/nixbundle" ];
          env.CGO_ENABLED = 0;
          nativeBuildInputs = [ installShellFiles ];
          # By programs of the machine that builds, since those of another one do not run here.
          postInstall = ''
            export GOOS=$(go env GOHOSTOS) GOARCH=$(go env GOHOSTARCH)
            go run -tags manpages ./cmd/manpages "$TMPDIR/man"
            installManPage $(find "$TMPDIR/man" -type f)
            for shell in bash fish zsh; do
              go run ./cmd/nixbundle completion $shell > "$TMPDIR/nixbundle.$shell"
            done
            installShellCompletion --cmd nixbundle "$TMPDIR"/nixbundle.{bash,fish,zsh}
          '';
          meta = {
            description = "Makes one archive of a program that Nix built, which runs on a machine without Nix";
            homepage = "https://github.com/nixbundle/nixbundle";
            license = lib.licenses.mit;
            mainProgram = "nixbundle";
          };
        };

      # A program as the command line takes it: that of an app; the main one of a package or, where it
      # names none, all of its bin/; or a path as it is.
      programText =
        program:
        if program.type or null == "app" then
          program.program
        else if lib.isDerivation program && !(program ? meta.mainProgram) then
          "${lib.getBin program}"
        else if lib.isDerivation program then
          lib.getExe program
        else
          "${program}";

      # The name of what is made of programs: the first one's, without the digest of a store path.
      nameOf =
        program:
        let
          programs = lib.toList program;
          first = if programs == [ ] then throw "nixbundle: program is empty: name one" else lib.head programs;
          base = baseNameOf (builtins.unsafeDiscardStringContext (programText first));
          parts = builtins.match "[0-9a-z]{32}-(.+)" base;
        in
        if parts == null then base else lib.head parts;

      # Words of the command line. null and false are left out, true is the bare flag, a list is the flag
      # once for each, and a path of the flake is one in the store.
      flags =
        attrs:
        lib.concatLists (
          lib.mapAttrsToList (
            name: value:
            if value == null || value == false then
              [ ]
            else if value == true then
              [ "--${name}" ]
            else
              map (one: "--${name}=${one}") (lib.toList value)
          ) attrs
        );

      # A derivation that runs nixbundle on the machine that builds, whatever machine the programs are for.
      # What is made stands alone, although its text names store paths (Nix 2.18 and newer listen).
      run =
        {
          pkgs,
          nixbundle,
          name,
          verb,
          words,
          program,
          output ? null, # a file that the verb writes; without one, what it says is what is made
          passthru ? { },
        }:
        pkgs.buildPackages.runCommand (lib.strings.sanitizeDerivationName name)
          {
            __structuredAttrs = true;
            unsafeDiscardReferences.out = true;
            inherit passthru;
          }
          ''
            SOURCE_DATE_EPOCH=0 ${lib.getExe nixbundle} ${
              lib.escapeShellArgs (
                [ verb ] ++ flags { inherit output; } ++ words ++ [ "--" ] ++ map programText (lib.toList program)
              )
            } ${lib.optionalString (output == null) "| tee $out"}
            ${lib.optionalString (output != null) "mv ${output} $out"}
          '';

      nixbundleOf = pkgs: self.packages.${pkgs.stdenv.buildPlatform.system}.default;

      # The bundle of programs; its arguments are the flags of nixbundle bundle. Its report is a derivation
      # of its own, since one wants it most where the bundle is refused.
      mkBundle =
        {
          pkgs,
          program,
          nixbundle ? nixbundleOf pkgs,
          name ? null,
          format ? "tar.zst",
          level ? null,
          interp ? null,
          target ? null,
          targetRoot ? null,
          prefix ? null,
          open ? [ ],
          include ? [ ],
          env ? { },
          plugins ? [ ],
          followData ? false,
          suggested ? false,
          accept ? null,
          allowConflicts ? false,
          strict ? false,
          extraArgs ? [ ],
        }:
        let
          base = if name == null then nameOf program else name;
        in
        assert lib.assertOneOf "format" format [
          "tar.zst"
          "tar"
        ];
        run {
          inherit pkgs nixbundle program;
          name = "${base}.${format}";
          verb = "bundle";
          words =
            flags {
              inherit
                name
                level
                interp
                target
                prefix
                open
                include
                plugins
                suggested
                accept
                strict
                ;
              env = lib.mapAttrsToList (variable: value: "${variable}=${value}") env;
              target-root = targetRoot;
              follow-data = followData;
              allow-conflicts = allowConflicts;
            }
            ++ extraArgs;
          # nixbundle writes beside its output, and a build may not write everywhere in the store.
          output = "bundle.${format}";
          passthru.report = mkReport {
            inherit
              pkgs
              nixbundle
              program
              target
              targetRoot
              open
              accept
              ;
            name = base;
          };
        };

      # What a verb finds in the processes of programs.
      mkFindings =
        verb: suffix: output:
        {
          pkgs,
          program,
          nixbundle ? nixbundleOf pkgs,
          name ? nameOf program,
          target ? null,
          targetRoot ? null,
          open ? [ ],
          accept ? null,
          extraArgs ? [ ],
        }:
        run {
          inherit
            pkgs
            nixbundle
            program
            verb
            output
            ;
          name = name + suffix;
          words =
            flags {
              inherit target open accept;
              target-root = targetRoot;
            }
            ++ extraArgs;
        };

      # A page that shows what the loader loads and mixes up.
      mkReport = mkFindings "graph" ".html" "report.html";

      # A check that fails where the loader will mix up something that the file accept does not hold.
      checkConflicts = mkFindings "conflicts" "-conflicts" null;
    in
    {
      packages = forSystems (pkgs: rec {
        nixbundle = pkgs.callPackage package { };
        default = nixbundle;
      });

      overlays.default = final: _: { nixbundle = final.callPackage package { }; };

      lib = { inherit mkBundle mkReport checkConflicts; };

      bundlers = forSystems (pkgs: {
        default = program: mkBundle { inherit pkgs program; };
      });

      apps = forSystems (pkgs: {
        default = {
          type = "app";
          program = lib.getExe (nixbundleOf pkgs);
        };
      });

      checks = forSystems (
        pkgs:
        {
          package = nixbundleOf pkgs;
        }
        // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
          conflicts = checkConflicts {
            inherit pkgs;
            program = pkgs.hello;
          };
          bundle = run {
            inherit pkgs;
            nixbundle = nixbundleOf pkgs;
            name = "hello-verified";
            verb = "verify";
            words = [ ];
            program = mkBundle {
              inherit pkgs;
              program = pkgs.hello;
            };
          };
        }
      );

      devShells = forSystems (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ (nixbundleOf pkgs) ];
          packages = [
            pkgs.gnumake
            pkgs.hyperfine
            pkgs.patchelf
            pkgs.zstd
          ];
        };
      });

      formatter = forSystems (pkgs: pkgs.nixfmt-tree);
    };
}
