package closure

import "slices"

// pluginRules are by topic, in files of their own. Folders are as nixpkgs lays packages out: below the
// store path of the output that has the library, and what wrappers add by variables. A variable is here
// where the library's own code reads it.
var pluginRules = slices.Concat(libcRules, cryptoRules, desktopRules, mediaRules, languageRules, dataRules, driverRules)

// libcRules are about what glibc opens and reads itself.
var libcRules = []PluginRule{
	{
		Name: "gconv", What: "character set converters of glibc", Sonames: []string{"libc.so.6"}, Imports: []string{"iconv_open"},
		Dirs: []string{"lib/gconv"}, Files: "*.so", Whole: true, Use: PluginReport,
		Vars:   []PluginVar{{Name: "GCONV_PATH", Sep: ":", Adds: true}},
		Note:   "UTF-8, UTF-16, UCS-4 and ASCII are built in; with GCONV_PATH glibc reads gconv-modules and gconv-modules.d, not gconv-modules.cache",
		Source: "glibc iconv/gconv_conf.c, iconv/gconv_cache.c, iconv/gconv_builtin.h",
	},
	{
		Name: "idn", What: "international host names", Sonames: []string{"libc.so.6"}, Imports: []string{"getaddrinfo", "getnameinfo"},
		Dirs: []string{"lib/libidn2.so.0"}, Files: "libidn2.so.0", Libs: []string{"libidn2.so.0"}, Use: PluginReport,
		Note:   "opened for AI_IDN and NI_IDN only; a cross-built glibc of nixpkgs searches the bare name, others have the path compiled in",
		Source: "glibc inet/idna.c; nixpkgs pkgs/development/libraries/glibc/common.nix",
	},
	{
		Name: "nss", What: "name service modules", Sonames: []string{"libc.so.6"},
		Imports: []string{"getaddrinfo", "gethostbyname", "gethostbyname_r", "getpwnam", "getpwnam_r", "getpwuid", "getpwuid_r", "getgrnam", "getgrgid"},
		Use:     PluginReport,
		Note:    "which of libnss_*.so.2 are opened, the machine's /etc/nsswitch.conf says; files and dns are built into glibc since 2.34",
		Source:  "nss(5), glibc nss/nss_module.c",
	},
	{
		Name: "locale", What: "locales", Sonames: []string{"libc.so.6"}, Imports: []string{"setlocale", "newlocale"},
		Dirs: []string{"lib/locale/locale-archive"}, Use: PluginReport, Vars: []PluginVar{{Name: "LOCALE_ARCHIVE"}},
		Note:   "C and C.UTF-8 are built in since 2.35; an archive works with the glibc that it was made for",
		Source: "glibc locale/loadarchive.c; nixpkgs pkgs/development/libraries/glibc/nix-locale-archive.patch",
	},
	{
		Name: "tzdata", What: "time zones", Sonames: []string{"libc.so.6"}, Imports: []string{"localtime", "localtime_r", "mktime", "tzset"},
		Dirs: []string{"share/zoneinfo"}, Use: PluginReport, Vars: []PluginVar{{Name: "TZDIR"}},
		Note:   "only a TZ that names a zone needs it; the machine's own is TZDIR=/usr/share/zoneinfo",
		Source: "tzset(3), glibc time/tzfile.c",
	},
}

// cryptoRules are about cryptography and authentication.
var cryptoRules = []PluginRule{
	{
		Name: "openssl-providers", What: "providers of OpenSSL", Sonames: []string{"libcrypto.so.3"},
		Dirs: []string{"lib/ossl-modules", "lib64/ossl-modules"}, Files: "*.so", Use: PluginTake,
		Vars:   []PluginVar{{Name: "OPENSSL_MODULES"}},
		Note:   "default and base are built in; legacy and fips are files",
		Source: "OpenSSL doc/man7/openssl-env.pod, crypto/provider_core.c (MODULESDIR)",
	},
	{
		Name: "openssl-engines", What: "engines of OpenSSL", Sonames: []string{"libcrypto.so.3", "libcrypto.so.1.1"},
		Dirs: []string{"lib/engines-*", "lib64/engines-*"}, Files: "*.so", Use: PluginReport,
		Vars:   []PluginVar{{Name: "OPENSSL_ENGINES"}},
		Source: "OpenSSL doc/man7/openssl-env.pod, crypto/engine/eng_list.c (ENGINESDIR)",
	},
	{
		Name: "openssl-conf", What: "openssl.cnf", Sonames: []string{"libcrypto.so.3", "libcrypto.so.1.1"},
		Dirs: []string{"etc/ssl/openssl.cnf", "ssl/openssl.cnf"}, Use: PluginReport,
		Vars:   []PluginVar{{Name: "OPENSSL_CONF"}},
		Note:   "without it OpenSSL takes its defaults",
		Source: "OpenSSL doc/man7/openssl-env.pod, crypto/conf/conf_mod.c",
	},
	{
		Name: "ca-certificates", What: "certificates of authorities", Sonames: []string{"libssl.so.*", "libgnutls.so.*", "libcurl.so.*"},
		Dirs: []string{"etc/ssl/certs/ca-bundle.crt"}, Use: PluginReport, Vars: []PluginVar{{Name: "SSL_CERT_FILE"}},
		Note:   "nixpkgs' OpenSSL also reads NIX_SSL_CERT_FILE and the machine's /etc/ssl/certs/ca-certificates.crt",
		Source: "OpenSSL doc/man7/openssl-env.pod; nixpkgs pkgs/development/libraries/openssl/nix-ssl-cert-file.patch",
	},
	{
		Name: "sasl", What: "mechanisms of Cyrus SASL", Sonames: []string{"libsasl2.so.*"},
		Dirs: []string{"lib/sasl2"}, Files: "*.so", Use: PluginTake,
		Vars:   []PluginVar{{Name: "SASL_PATH", Sep: ":"}},
		Source: "Cyrus SASL lib/common.c (_sasl_get_default_path)",
	},
	{
		Name: "krb5", What: "plugins of MIT Kerberos", Sonames: []string{"libkrb5.so.3"},
		Dirs: []string{"lib/krb5/plugins"}, Files: "*.so", Deep: true, Use: PluginReport,
		Note:   "no variable leads elsewhere: plugin_base_dir in the file of KRB5_CONFIG does",
		Source: "krb5.conf(5), [libdefaults] plugin_base_dir",
	},
	{
		Name: "p11-kit", What: "modules of PKCS #11", Sonames: []string{"libp11-kit.so.*"},
		Dirs: []string{"lib/pkcs11"}, Files: "*.so", Use: PluginReport,
		Note:   "no variable leads elsewhere",
		Source: "p11-kit p11-kit/modules.c (P11_MODULE_PATH)",
	},
}

// languageRules are about interpreters that a program has inside.
var languageRules = []PluginRule{
	{
		Name: "python", What: "Python's library with its extension modules", Sonames: []string{"libpython3.*.so*"},
		Dirs: []string{"lib/python3.*"}, Files: "*.so", Deep: true, Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "PYTHONHOME", File: "../.."}},
		Note:   "packages of other store paths come by PYTHONPATH or NIX_PYTHONPATH, which wrappers set",
		Source: "CPython Modules/getpath.py, Python/dynload_shlib.c",
	},
	{
		Name: "python-packages", What: "packages of Python", Sonames: []string{"libpython3.*.so*"},
		Files: "*.so", Deep: true, Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "PYTHONPATH", Sep: ":"}, {Name: "NIX_PYTHONPATH", Sep: ":"}},
		Source: "python(1); nixpkgs pkgs/development/interpreters/python/sitecustomize.py",
	},
	{
		Name: "perl", What: "Perl's library with its extension modules", Sonames: []string{"libperl.so*"},
		Dirs: []string{"lib/perl5", "lib/perl5/site_perl"}, Files: "*.so", Deep: true, Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "PERL5LIB", Sep: ":", Adds: true}},
		Note:   "below a folder of PERL5LIB Perl looks into those of its version and machine itself",
		Source: "perlrun(1)",
	},
	{
		Name: "tcl", What: "Tcl's library", Sonames: []string{"libtcl8.*.so", "libtcl9.*.so"},
		Dirs: []string{"lib/tcl8.*", "lib/tcl9.*"}, Use: PluginTake, Vars: []PluginVar{{Name: "TCL_LIBRARY"}},
		Source: "Tcl doc/tclvars.n",
	},
	{
		Name: "lua", What: "modules of Lua", Sonames: []string{"liblua*.so*"},
		Dirs: []string{"lib/lua/5.*"}, Files: "*.so", Deep: true, Whole: true, Use: PluginReport,
		Note:   "LUA_CPATH has patterns, not folders",
		Source: "Lua src/loadlib.c",
	},
	{
		Name: "ruby", What: "Ruby's library with its extensions", Sonames: []string{"libruby*.so.*"},
		Dirs: []string{"lib/ruby"}, Files: "*.so", Deep: true, Whole: true, Use: PluginReport,
		Note:   "RUBYLIB names folders below lib/ruby, one for each version and machine",
		Source: "ruby(1)",
	},
}
