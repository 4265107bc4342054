package closure

// desktopRules are about toolkits.
var desktopRules = []PluginRule{
	{
		Name: "qt6-plugins", What: "plugins of Qt 6", Sonames: []string{"libQt6Core.so.6"},
		Dirs: []string{"lib/qt-6/plugins"}, Files: "*.so", Deep: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "QT_PLUGIN_PATH", Sep: ":", Adds: true}},
		Source: "Qt doc Deploying Plugins; qtbase src/corelib/kernel/qcoreapplication.cpp (libraryPaths)",
	},
	{
		Name: "qt6-qml", What: "QML modules of Qt 6", Sonames: []string{"libQt6Qml.so.6"},
		Dirs: []string{"lib/qt-6/qml"}, Files: "*.so", Deep: true, Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "QML2_IMPORT_PATH", Sep: ":", Adds: true}},
		Source: "Qt doc QML Import Path; qtdeclarative src/qml/qml/qqmlimport.cpp",
	},
	{
		Name: "qt5-plugins", What: "plugins of Qt 5", Sonames: []string{"libQt5Core.so.5"},
		Dirs: []string{"lib/qt-5.*/plugins", "lib/qt5/plugins"}, Files: "*.so", Deep: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "QT_PLUGIN_PATH", Sep: ":", Adds: true}},
		Source: "Qt doc Deploying Plugins; qtbase src/corelib/kernel/qcoreapplication.cpp (libraryPaths)",
	},
	{
		Name: "qt5-qml", What: "QML modules of Qt 5", Sonames: []string{"libQt5Qml.so.5"},
		Dirs: []string{"lib/qt-5.*/qml", "lib/qt5/qml"}, Files: "*.so", Deep: true, Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "QML2_IMPORT_PATH", Sep: ":", Adds: true}},
		Source: "Qt doc QML Import Path; qtdeclarative src/qml/qml/qqmlimport.cpp",
	},
	{
		Name: "gdk-pixbuf", What: "image loaders of gdk-pixbuf", Sonames: []string{"libgdk_pixbuf-2.0.so.0"},
		Dirs: []string{"lib/gdk-pixbuf-2.0/2.10.0/loaders"}, Files: "*.so", Use: PluginTake,
		Vars: []PluginVar{{Name: "GDK_PIXBUF_MODULE_FILE", File: "../loaders.cache", Cache: true}},
		Note: "loaders.cache has the path of each loader in quotes on a line of its own: those become paths in the bundle, " +
			"and since they must be absolute the file is written where the bundle starts, or for a fixed prefix",
		Source: "gdk-pixbuf gdk-pixbuf/gdk-pixbuf-io.c (gdk_pixbuf_get_module_file), queryloaders.c",
	},
	{
		Name: "gio", What: "modules of GIO: TLS, proxies, settings", Sonames: []string{"libgio-2.0.so.0"},
		Dirs: []string{"lib/gio/modules"}, Files: "*.so", Whole: true, Use: PluginTake,
		Vars:   []PluginVar{{Name: "GIO_EXTRA_MODULES", Sep: ":", Adds: true}},
		Note:   "giomodule.cache beside them has names and no paths",
		Source: "GLib gio/giomodule.c, docs: Running GIO applications",
	},
	{
		Name: "gsettings", What: "schemas of GSettings", Sonames: []string{"libgio-2.0.so.0"},
		Dirs: []string{"share/gsettings-schemas/*/glib-2.0/schemas", "share/glib-2.0/schemas"}, Use: PluginReport,
		Vars:   []PluginVar{{Name: "GSETTINGS_SCHEMA_DIR", Sep: ":", Adds: true}},
		Source: "GLib gio/gsettingsschema.c (initialise_schema_sources)",
	},
	{
		Name: "gtk3-immodules", What: "input methods of GTK 3", Sonames: []string{"libgtk-3.so.0"},
		Dirs: []string{"lib/gtk-3.0/3.0.0/immodules"}, Files: "*.so", Use: PluginReport,
		Vars:   []PluginVar{{Name: "GTK_IM_MODULE_FILE", File: "../immodules.cache", Cache: true}},
		Note:   "immodules.cache has absolute paths, as loaders.cache of gdk-pixbuf",
		Source: "GTK gtk/gtkimmodule.c (gtk_rc_get_im_module_file)",
	},
	{
		Name: "gtk3-modules", What: "print backends and modules of GTK 3", Sonames: []string{"libgtk-3.so.0"},
		Dirs: []string{"lib/gtk-3.0"}, Files: "*.so", Deep: true, Whole: true, Use: PluginReport, Vars: []PluginVar{{Name: "GTK_PATH", Sep: ":", Adds: true}},
		Source: "GTK gtk/gtkmodules.c (get_module_path)",
	},
	{
		Name: "gtk4-modules", What: "media, print backends and input methods of GTK 4", Sonames: []string{"libgtk-4.so.1"},
		Dirs: []string{"lib/gtk-4.0"}, Files: "*.so", Deep: true, Use: PluginReport, Vars: []PluginVar{{Name: "GTK_PATH", Sep: ":", Adds: true}},
		Source: "GTK 4 gtk/gtkmodules.c (_gtk_get_module_path)",
	},
	{
		Name: "girepository", What: "typelibs of GObject introspection", Sonames: []string{"libgirepository-1.0.so.1", "libgirepository-2.0.so.0"},
		Dirs: []string{"lib/girepository-1.0"}, Use: PluginTake, Vars: []PluginVar{{Name: "GI_TYPELIB_PATH", Sep: ":", Adds: true}},
		Note:   "a typelib names its library without a path, or nixpkgs' with one of the store",
		Source: "GObject introspection girepository/girepository.c (init_globals)",
	},
	{
		Name: "libdecor", What: "window decorations of libdecor", Sonames: []string{"libdecor-0.so.0"},
		Dirs: []string{"lib/libdecor/plugins-1"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "LIBDECOR_PLUGIN_DIR"}},
		Source: "libdecor src/libdecor.c (init_plugins)",
	},
	{
		Name: "imlib2", What: "image loaders of Imlib2", Sonames: []string{"libImlib2.so.1"},
		Dirs: []string{"lib/imlib2/loaders"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "IMLIB2_LOADER_PATH"}},
		Source: "Imlib2 src/lib/modules.c (__imlib_PathToLoaders)",
	},
	{
		Name: "enchant", What: "spelling providers of Enchant", Sonames: []string{"libenchant-2.so.2"},
		Dirs: []string{"lib/enchant-2"}, Files: "*.so", Use: PluginReport,
		Note:   "ENCHANT_PREFIX_DIR moves them only where Enchant was built relocatable",
		Source: "Enchant lib/configmake.h, lib/lib.c (enchant_load_providers)",
	},
	{
		Name: "fontconfig", What: "configuration of fontconfig", Sonames: []string{"libfontconfig.so.1"},
		Dirs: []string{"etc/fonts/fonts.conf"}, Use: PluginReport, Vars: []PluginVar{{Name: "FONTCONFIG_FILE"}},
		Note:   "nixpkgs' fontconfig reads the machine's /etc/fonts/fonts.conf where there is one; the fonts are the machine's",
		Source: "fonts-conf(5), fontconfig src/fccfg.c (FcConfigGetFilename)",
	},
	{
		Name: "xkb", What: "keyboard layouts", Sonames: []string{"libxkbcommon.so.0"},
		Dirs: []string{"share/X11/xkb", "etc/X11/xkb", "share/xkeyboard-config-2"}, Use: PluginTake, Vars: []PluginVar{{Name: "XKB_CONFIG_ROOT"}},
		Source: "libxkbcommon src/context.c (xkb_context_include_path_get_system_path)",
	},
	{
		Name: "x11-locale", What: "compose tables and locales of X11", Sonames: []string{"libX11.so.6"},
		Dirs: []string{"share/X11/locale"}, Use: PluginReport, Vars: []PluginVar{{Name: "XLOCALEDIR", Sep: ":", Adds: true}},
		Source: "libX11 src/xlibi18n/lcFile.c (xlocaledir)",
	},
}
