package closure

// mediaRules are about sound, pictures, and computing.
var mediaRules = []PluginRule{
	{
		Name: "gstreamer", What: "plugins of GStreamer", Sonames: []string{"libgstreamer-1.0.so.0"},
		Dirs: []string{"lib/gstreamer-1.0"}, Files: "lib*.so", Use: PluginTake,
		Vars:   []PluginVar{{Name: "GST_PLUGIN_SYSTEM_PATH_1_0", Sep: ":"}},
		Note:   "the registry in the user's cache (GST_REGISTRY_1_0) holds what it found last",
		Source: "GStreamer docs/gst-running.md, gst/gstregistry.c (ensure_current_registry)",
	},
	{
		Name: "gstreamer-more", What: "plugins of GStreamer that wrappers add", Sonames: []string{"libgstreamer-1.0.so.0"},
		Files: "lib*.so", Use: PluginTake, Vars: []PluginVar{{Name: "GST_PLUGIN_PATH_1_0", Sep: ":"}, {Name: "GST_PLUGIN_PATH", Sep: ":"}},
		Source: "GStreamer docs/gst-running.md",
	},
	{
		Name: "gstreamer-scanner", What: "the program that looks at plugins of GStreamer", Sonames: []string{"libgstreamer-1.0.so.0"},
		Dirs: []string{"libexec/gstreamer-1.0/gst-plugin-scanner"}, Use: PluginReport, Vars: []PluginVar{{Name: "GST_PLUGIN_SCANNER_1_0"}},
		Note:   "without it GStreamer looks at its plugins in its own process",
		Source: "GStreamer docs/gst-running.md, gst/gstpluginloader.c (gst_plugin_loader_spawn)",
	},
	{
		Name: "opencv-videoio", What: "video backends of OpenCV", Sonames: []string{"libopencv_videoio.so.*"},
		Dirs: []string{"lib"}, Files: "libopencv_videoio_*.so", Use: PluginTake, Vars: []PluginVar{{Name: "OPENCV_VIDEOIO_PLUGIN_PATH", Sep: ":"}},
		Note:   "without the variable they are looked for beside the library",
		Source: "OpenCV modules/videoio/src/backend_plugin.cpp (getPluginCandidates)",
	},
	{
		Name: "opencv-highgui", What: "window backends of OpenCV", Sonames: []string{"libopencv_highgui.so.*"},
		Dirs: []string{"lib"}, Files: "libopencv_highgui_*.so", Use: PluginTake, Vars: []PluginVar{{Name: "OPENCV_CORE_PLUGIN_PATH", Sep: ":"}},
		Source: "OpenCV modules/highgui/src/plugin_wrapper.impl.hpp (getPluginCandidates)",
	},
	{
		Name: "opencv-core", What: "thread backends of OpenCV", Sonames: []string{"libopencv_core.so.*"},
		Dirs: []string{"lib"}, Files: "libopencv_core_parallel_*.so", Use: PluginTake, Vars: []PluginVar{{Name: "OPENCV_CORE_PLUGIN_PATH", Sep: ":"}},
		Source: "OpenCV modules/core/src/parallel/plugin_parallel_wrapper.impl.hpp (getPluginCandidates)",
	},
	{
		Name: "opencv-gapi", What: "streaming backends of OpenCV", Sonames: []string{"libopencv_gapi.so.*"},
		Dirs: []string{"lib"}, Files: "libopencv_gapi_*.so", Use: PluginTake,
		Note:   "looked for beside the library",
		Source: "OpenCV modules/gapi",
	},
	{
		Name: "onnxruntime", What: "execution providers of ONNX Runtime", Sonames: []string{"libonnxruntime.so.*"},
		Dirs: []string{"lib"}, Files: "libonnxruntime_providers_*.so", Use: PluginTake,
		Note:   "looked for beside the library",
		Source: "ONNX Runtime onnxruntime/core/session/provider_bridge_ort.cc (ProviderLibrary)",
	},
	{
		Name: "openvino", What: "device plugins of OpenVINO", Sonames: []string{"libopenvino.so.*"},
		Dirs: []string{"lib", "runtime/lib/*", "lib/openvino-*"}, Files: "libopenvino_*.so*", Use: PluginTake,
		Note:   "looked for beside the library",
		Source: "OpenVINO src/inference/src/dev/core_impl.cpp",
	},
	{
		Name: "alsa", What: "plugins of ALSA", Sonames: []string{"libasound.so.2"},
		Dirs: []string{"lib/alsa-lib"}, Files: "libasound_module_*.so", Use: PluginTake, Vars: []PluginVar{{Name: "ALSA_PLUGIN_DIR"}},
		Note:   "which are opened, the machine's asound.conf says",
		Source: "alsa-lib src/dlmisc.c (snd_dlpath)",
	},
	{
		Name: "alsa-config", What: "configuration of ALSA", Sonames: []string{"libasound.so.2"},
		Dirs: []string{"share/alsa"}, Use: PluginTake, Vars: []PluginVar{{Name: "ALSA_CONFIG_DIR"}},
		Source: "alsa-lib src/conf.c (snd_config_topdir)",
	},
	{
		Name: "pipewire", What: "modules of PipeWire", Sonames: []string{"libpipewire-0.3.so.0"},
		Dirs: []string{"lib/pipewire-0.3"}, Files: "libpipewire-module-*.so", Use: PluginTake, Vars: []PluginVar{{Name: "PIPEWIRE_MODULE_DIR", Sep: ":"}},
		Source: "PipeWire doc/dox/config/pipewire.1.md (environment)",
	},
	{
		Name: "pipewire-spa", What: "SPA plugins of PipeWire", Sonames: []string{"libpipewire-0.3.so.0"},
		Dirs: []string{"lib/spa-0.2"}, Files: "libspa*.so", Deep: true, Use: PluginTake, Vars: []PluginVar{{Name: "SPA_PLUGIN_DIR", Sep: ":"}},
		Source: "PipeWire src/pipewire/pipewire.c (pw_init)",
	},
	{
		Name: "pipewire-config", What: "configuration of PipeWire's clients", Sonames: []string{"libpipewire-0.3.so.0"},
		Dirs: []string{"share/pipewire"}, Use: PluginTake, Vars: []PluginVar{{Name: "PIPEWIRE_CONFIG_DIR"}},
		Source: "PipeWire src/pipewire/conf.c",
	},
	{
		Name: "pulseaudio", What: "modules of the PulseAudio server", Sonames: []string{"libpulsecore-*.so"},
		Dirs: []string{"lib/pulseaudio/modules", "lib/pulse-*/modules"}, Files: "*.so", Use: PluginReport,
		Note:   "the server's --dl-search-path leads elsewhere; clients open none",
		Source: "pulseaudio(1)",
	},
	{
		Name: "imagemagick", What: "coders and filters of ImageMagick", Sonames: []string{"libMagickCore-*.so.*"},
		Dirs: []string{"lib/ImageMagick-*/modules-*/coders"}, Files: "*.so", Whole: true, Use: PluginTake, Vars: []PluginVar{{Name: "MAGICK_CODER_MODULE_PATH", Sep: ":"}},
		Source: "ImageMagick www/resources.html (environment), MagickCore/module.c",
	},
	{
		Name: "imagemagick-config", What: "configuration of ImageMagick", Sonames: []string{"libMagickCore-*.so.*"},
		Dirs: []string{"etc/ImageMagick-*"}, Use: PluginTake, Vars: []PluginVar{{Name: "MAGICK_CONFIGURE_PATH", Sep: ":"}},
		Source: "ImageMagick www/resources.html (environment)",
	},
	{
		Name: "libheif", What: "codecs of libheif", Sonames: []string{"libheif.so.1"},
		Dirs: []string{"lib/libheif", "lib/libheif/plugins"}, Files: "libheif-*.so", Use: PluginTake, Vars: []PluginVar{{Name: "LIBHEIF_PLUGIN_PATH", Sep: ":"}},
		Source: "libheif README.md, libheif/init.cc",
	},
	{
		Name: "babl", What: "pixel format extensions of babl", Sonames: []string{"libbabl-0.1.so.0"},
		Dirs: []string{"lib/babl-0.1"}, Files: "*.so", Whole: true, Use: PluginTake, Vars: []PluginVar{{Name: "BABL_PATH", Sep: ":"}},
		Source: "babl docs/environment-static.txt",
	},
	{
		Name: "gegl", What: "operations of GEGL", Sonames: []string{"libgegl-0.4.so.0"},
		Dirs: []string{"lib/gegl-0.4"}, Files: "*.so", Whole: true, Use: PluginTake, Vars: []PluginVar{{Name: "GEGL_PATH", Sep: ":"}},
		Source: "GEGL docs/environment.adoc",
	},
	{
		Name: "vlc", What: "plugins of VLC", Sonames: []string{"libvlccore.so.*"},
		Dirs: []string{"lib/vlc/plugins"}, Files: "*.so", Deep: true, Whole: true, Use: PluginTake, Vars: []PluginVar{{Name: "VLC_PLUGIN_PATH", Sep: ":", Adds: true}},
		Source: "VLC src/modules/bank.c (AllocateAllPlugins)",
	},
	{
		Name: "gphoto2-cameras", What: "camera drivers of libgphoto2", Sonames: []string{"libgphoto2.so.6"},
		Dirs: []string{"lib/libgphoto2/*"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "CAMLIBS"}},
		Source: "libgphoto2 gphoto2-abilities-list.c",
	},
	{
		Name: "gphoto2-ports", What: "port drivers of libgphoto2", Sonames: []string{"libgphoto2_port.so.12"},
		Dirs: []string{"lib/libgphoto2_port/*"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "IOLIBS"}},
		Source: "libgphoto2 libgphoto2_port/gphoto2-port-info-list.c",
	},
	{
		Name: "soapysdr", What: "radio drivers of SoapySDR", Sonames: []string{"libSoapySDR.so.*"},
		Dirs: []string{"lib/SoapySDR/modules*"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "SOAPY_SDR_PLUGIN_PATH", Sep: ":", Adds: true}},
		Source: "SoapySDR lib/Modules.in.cpp (listSearchPaths)",
	},
	{
		Name: "gdal", What: "drivers of GDAL", Sonames: []string{"libgdal.so.*"},
		Dirs: []string{"lib/gdalplugins"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "GDAL_DRIVER_PATH", Sep: ":"}},
		Source: "GDAL gcore/gdaldrivermanager.cpp (AutoLoadDrivers)",
	},
	{
		Name: "hwloc", What: "plugins of hwloc", Sonames: []string{"libhwloc.so.*"},
		Dirs: []string{"lib/hwloc"}, Files: "*.so", Use: PluginTake, Vars: []PluginVar{{Name: "HWLOC_PLUGINS_PATH", Sep: ":"}},
		Source: "hwloc doc, Components and plugins",
	},
	{
		Name: "openmpi", What: "components of Open MPI", Sonames: []string{"libopen-pal.so.*", "libmpi.so.*"},
		Dirs: []string{"lib/openmpi"}, Files: "mca_*.so", Use: PluginTake, Vars: []PluginVar{{Name: "OPAL_PREFIX", File: "../.."}},
		Source: "Open MPI opal/mca/installdirs/env",
	},
}
