package closure

// opener is a function with which an object opens a library, by itself or through another library.
// dlopen searches for whoever calls it, which is the library that the function is in.
type opener struct {
	function string // its symbol
	home     string // pattern of the soname that it is in (path.Match); "" for dlopen itself
}

// openers are those that are known, each with the place where its library calls dlopen.
var openers = []opener{
	{"dlopen", ""},                                                       // dlopen(3)
	{"dlmopen", ""},                                                      // dlmopen(3)
	{"g_module_open", "libgmodule-2.0.so.*"},                             // GLib gmodule/gmodule-dl.c
	{"g_module_open_full", "libgmodule-2.0.so.*"},                        // the same
	{"gst_plugin_load_file", "libgmodule-2.0.so.*"},                      // GStreamer gst/gstplugin.c
	{"SDL_LoadObject", "libSDL[123]*.so.*"},                              // SDL src/loadso/dlopen
	{"apr_dso_load", "libapr-1.so.*"},                                    // APR dso/unix/dso.c
	{"lt_dlopen", "libltdl.so.*"},                                        // libtool libltdl/loaders/dlopen.c
	{"lt_dlopenext", "libltdl.so.*"},                                     // the same
	{"lt_dlopenadvise", "libltdl.so.*"},                                  // the same
	{"uv_dlopen", "libuv.so.*"},                                          // libuv src/unix/dl.c
	{"PR_LoadLibrary", "libnspr4.so"},                                    // NSPR pr/src/linking/prlink.c
	{"PR_LoadLibraryWithFlags", "libnspr4.so"},                           // the same
	{"DSO_load", "libcrypto.so.*"},                                       // OpenSSL crypto/dso/dso_dlfcn.c
	{"eina_module_new", "libeina.so.*"},                                  // EFL src/lib/eina/eina_module.c
	{"Tcl_LoadFile", "libtcl*.so"},                                       // Tcl unix/tclLoadDl.c
	{"_ZN8QLibraryC1ERK7QStringP7QObject", "libQt[56]Core.so.*"},         // Qt QLibrary::QLibrary(const QString &, QObject *)
	{"_ZN8QLibraryC1ERK7QStringiP7QObject", "libQt[56]Core.so.*"},        // the same with a version
	{"_ZN8QLibraryC1ERK7QStringS2_P7QObject", "libQt[56]Core.so.*"},      // the same
	{"_ZN8QLibrary7resolveERK7QStringPKc", "libQt[56]Core.so.*"},         // QLibrary::resolve(const QString &, const char *)
	{"_ZN8QLibrary11setFileNameERK7QString", "libQt[56]Core.so.*"},       // QLibrary::setFileName
	{"_ZN13QPluginLoader11setFileNameERK7QString", "libQt[56]Core.so.*"}, // QPluginLoader::setFileName
	{"_ZN13QPluginLoaderC1ERK7QStringP7QObject", "libQt[56]Core.so.*"},   // QPluginLoader::QPluginLoader
	{"_ZN16wxDynamicLibrary4LoadERK8wxStringi", "libwx_baseu-*.so.*"},    // wxWidgets src/common/dynlib.cpp
	{"_ZN4Poco13SharedLibrary4loadERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "libPocoFoundation.so.*"}, // Poco
}
