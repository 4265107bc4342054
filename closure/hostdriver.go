package closure

import (
	"path"
	"strings"
)

// hostDrivers are libraries that belong to the machine: they speak to its kernel's drivers in a form of
// their own, or must be as they were signed. A bundle neither brings nor edits them. Patterns are those
// of path.Match, for the name of the file.
var hostDrivers = []struct{ pattern, what string }{
	// libglvnd README: front ends and vendor libraries.
	{"libGL.so*", "OpenGL"}, {"libGLX.so*", "OpenGL"}, {"libGLX_*.so*", "OpenGL"}, {"libOpenGL.so*", "OpenGL"},
	{"libGLESv[12]*.so*", "OpenGL ES"}, {"libGLES_*.so*", "OpenGL ES"}, {"libGLdispatch.so*", "OpenGL"},
	{"libEGL.so*", "EGL"}, {"libEGL_*.so*", "EGL"}, {"libglapi.so*", "OpenGL"}, {"libgallium*.so*", "OpenGL"},
	{"libgbm.so*", "GBM"}, {"?*_gbm.so", "GBM"}, {"?*_dri.so", "a Mesa driver"}, {"dri_gbm.so", "GBM"},
	{"libbrcmGLESv2.so*", "OpenGL ES"}, {"libbrcmEGL.so*", "EGL"}, {"libbcm_host.so*", "VideoCore"},
	{"libmmal*.so*", "VideoCore"}, {"libopenmaxil.so*", "VideoCore"},
	// Vulkan loader docs/LoaderDriverInterface.md: libraries that an ICD manifest names.
	{"libvulkan.so*", "Vulkan"}, {"libvulkan_*.so*", "a Vulkan driver"}, {"libVkLayer_*.so*", "a Vulkan layer"},
	// libva va/va.c: va_openDriver; libvdpau src/vdpau_wrapper.c.
	{"?*_drv_video.so", "a VA-API driver"}, {"libvdpau_*.so*", "a VDPAU driver"},
	// NVIDIA's driver installs these; their version is that of the kernel module.
	{"libcuda.so*", "the CUDA driver"}, {"libnvidia-*.so*", "NVIDIA's driver"}, {"libnvcuvid.so*", "NVIDIA's driver"},
	{"libnvoptix.so*", "NVIDIA's driver"}, {"libcudadebugger.so*", "NVIDIA's driver"},
	{"libOpenCL.so*", "OpenCL"}, {"libMali*.so*", "Mali's driver"}, {"libmali*.so*", "Mali's driver"},
	// libcamera src/libcamera/ipa_manager.cpp: a module whose signature is wrong is isolated.
	{"ipa_*.so", "a signed module of libcamera"},
}

// hostDriverDirs are where NixOS and others put the machine's drivers.
var hostDriverDirs = []string{"/run/opengl-driver/", "/run/opengl-driver-32/", "/opt/vc/lib/"}

// hostDriver says what of the machine a library is, by its name or path; "" for any other.
func hostDriver(name string) string {
	for _, dir := range hostDriverDirs {
		if strings.HasPrefix(name, dir) {
			return "the machine's drivers"
		}
	}
	base := path.Base(name)
	for _, d := range hostDrivers {
		if ok, _ := path.Match(d.pattern, base); ok {
			return d.what
		}
	}
	return ""
}
