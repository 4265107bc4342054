package closure

// dataRules are about data that a library cannot do without.
var dataRules = []PluginRule{
	{
		Name: "magic", What: "the table of file types", Sonames: []string{"libmagic.so.1"},
		Dirs: []string{"share/misc/magic.mgc"}, Use: PluginTake, Vars: []PluginVar{{Name: "MAGIC", Sep: ":"}},
		Source: "libmagic(3), file src/magic.c (get_default_magic)",
	},
	{
		Name: "terminfo", What: "descriptions of terminals", Sonames: []string{"libncurses*.so.*", "libtinfo*.so.*"},
		Dirs: []string{"share/terminfo"}, Use: PluginReport, Vars: []PluginVar{{Name: "TERMINFO_DIRS", Sep: ":"}},
		Note:   "nixpkgs' ncurses also looks into the machine's /etc/terminfo, /lib/terminfo and /usr/share/terminfo",
		Source: "terminfo(5), ncurses ncurses/tinfo/db_iterator.c",
	},
	{
		Name: "gdal-data", What: "data of GDAL", Sonames: []string{"libgdal.so.*"},
		Dirs: []string{"share/gdal"}, Use: PluginTake, Vars: []PluginVar{{Name: "GDAL_DATA"}},
		Source: "GDAL port/cpl_findfile.cpp",
	},
	{
		Name: "proj", What: "the database of PROJ", Sonames: []string{"libproj.so.*"},
		Dirs: []string{"share/proj"}, Use: PluginTake, Vars: []PluginVar{{Name: "PROJ_DATA", Sep: ":"}, {Name: "PROJ_LIB", Sep: ":"}},
		Source: "PROJ docs/source/usage/environmentvars.rst",
	},
	{
		Name: "hunspell", What: "dictionaries of Hunspell", Sonames: []string{"libhunspell-*.so.*"},
		Dirs: []string{"share/hunspell"}, Use: PluginReport, Vars: []PluginVar{{Name: "DICPATH", Sep: ":"}},
		Source: "hunspell(1)",
	},
	{
		Name: "tesseract", What: "language data of Tesseract", Sonames: []string{"libtesseract.so.*"},
		Dirs: []string{"share/tessdata"}, Use: PluginTake, Vars: []PluginVar{{Name: "TESSDATA_PREFIX"}},
		Source: "Tesseract src/ccutil/ccutil.cpp (main_setup)",
	},
	{
		Name: "gettext", What: "translations", Sonames: []string{"libc.so.6"}, Imports: []string{"bindtextdomain"},
		Use:    PluginReport,
		Note:   "share/locale of the program, by a path that is compiled in",
		Source: "bindtextdomain(3)",
	},
}

// driverRules are about drivers of the machine: a bundle leaves them to it.
var driverRules = []PluginRule{
	{
		Name: "opengl", What: "OpenGL drivers", Sonames: []string{"libGL.so.1", "libGLX.so.0", "libGLdispatch.so.0", "libOpenGL.so.0"},
		Files: "libGLX_*.so.*", Use: PluginHost,
		Note:   "libglvnd opens libGLX_mesa.so.0 or the like by a bare name",
		Source: "libglvnd src/GLX/libglxmapping.c",
	},
	{
		Name: "egl", What: "EGL drivers", Sonames: []string{"libEGL.so.1"},
		Dirs: []string{"share/glvnd/egl_vendor.d"}, Files: "*.json", Use: PluginHost,
		Note:   "libglvnd reads /usr/share/glvnd/egl_vendor.d and __EGL_VENDOR_LIBRARY_DIRS; nixpkgs' also /run/opengl-driver",
		Source: "libglvnd src/EGL/icd_enumeration.md",
	},
	{
		Name: "gbm", What: "GBM backends", Sonames: []string{"libgbm.so.1"},
		Dirs: []string{"lib/gbm"}, Files: "*_gbm.so", Use: PluginHost, Vars: []PluginVar{{Name: "GBM_BACKENDS_PATH", Sep: ":"}},
		Source: "Mesa src/gbm/main/backend.c",
	},
	{
		Name: "mesa-dri", What: "Mesa drivers", Sonames: []string{"libGLX_mesa.so.0", "libEGL_mesa.so.0", "libgbm.so.1"},
		Dirs: []string{"lib/dri"}, Files: "*_dri.so", Use: PluginHost, Vars: []PluginVar{{Name: "LIBGL_DRIVERS_PATH", Sep: ":"}},
		Source: "Mesa docs/envvars.rst",
	},
	{
		Name: "vulkan", What: "Vulkan drivers", Sonames: []string{"libvulkan.so.1"},
		Dirs: []string{"share/vulkan/icd.d"}, Files: "*.json", Use: PluginHost,
		Note:   "the loader reads /usr/share/vulkan/icd.d of the machine, and VK_DRIVER_FILES",
		Source: "Vulkan-Loader docs/LoaderDriverInterface.md",
	},
	{
		Name: "va-api", What: "VA-API drivers", Sonames: []string{"libva.so.2"},
		Dirs: []string{"lib/dri"}, Files: "*_drv_video.so", Use: PluginHost, Vars: []PluginVar{{Name: "LIBVA_DRIVERS_PATH", Sep: ":"}},
		Source: "libva va/va.c (va_openDriver)",
	},
	{
		Name: "vdpau", What: "VDPAU drivers", Sonames: []string{"libvdpau.so.1"},
		Dirs: []string{"lib/vdpau"}, Files: "libvdpau_*.so*", Use: PluginHost, Vars: []PluginVar{{Name: "VDPAU_DRIVER_PATH"}},
		Source: "libvdpau src/vdpau_wrapper.c",
	},
	{
		Name: "opencl", What: "OpenCL drivers", Sonames: []string{"libOpenCL.so.1"},
		Dirs: []string{"etc/OpenCL/vendors"}, Files: "*.icd", Use: PluginHost, Vars: []PluginVar{{Name: "OCL_ICD_VENDORS"}},
		Source: "ocl-icd(7)",
	},
	{
		Name: "cuda", What: "NVIDIA's driver", Sonames: []string{"libcudart.so.*", "libcublas.so.*", "libcudnn.so.*"},
		Libs: []string{"libcuda.so.1", "libnvidia-ml.so.1"}, Use: PluginHost,
		Note:   "its version must be that of the machine's kernel module",
		Source: "CUDA C++ Programming Guide, compatibility",
	},
	{
		Name: "libcamera-ipa", What: "signed modules of libcamera", Sonames: []string{"libcamera.so.*"},
		Dirs: []string{"lib/libcamera", "lib/libcamera/ipa"}, Files: "ipa_*.so", Use: PluginHost, Vars: []PluginVar{{Name: "LIBCAMERA_IPA_MODULE_PATH", Sep: ":"}},
		Note:   "an edit breaks their signature, after which libcamera runs them in a process of their own",
		Source: "libcamera src/libcamera/ipa_manager.cpp",
	},
	{
		Name: "ladspa", What: "LADSPA and LV2 effects", Sonames: []string{"liblilv-0.so.0"},
		Use:    PluginReport,
		Note:   "LADSPA_PATH and LV2_PATH name folders of the user",
		Source: "lilv doc; LADSPA ladspa.h",
	},
	{
		Name: "pam", What: "modules of PAM", Sonames: []string{"libpam.so.0"},
		Dirs: []string{"lib/security"}, Files: "pam_*.so", Use: PluginHost,
		Note:   "the machine's /etc/pam.d names them; take the machine's libpam too",
		Source: "Linux-PAM libpam/pam_handlers.c",
	},
}
