// A program that tells what a process has from the kernel and its loader, and uses what depends on
// it. It prints no address, so that two runs can be compared.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
extern char _start[];
extern __thread int dep_tls;
int dep(int);
int throws(void); // probe.cc; in a program without C++ it returns 0

static __thread int tls = 40;
static int constructed;
__attribute__((constructor)) static void construct(void) { constructed++; }
__attribute__((destructor)) static void destruct(void) { printf("destructor\n"); fflush(stdout); }
static void at_exit(void) { printf("atexit\n"); }

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int module(struct dl_phdr_info *info, size_t size, void *n)
{
	int loads = 0, dynamic = 0, interp = 0, here = 0;
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		ElfW(Addr) from = info->dlpi_addr + p->p_vaddr;
		loads += p->p_type == PT_LOAD;
		dynamic += p->p_type == PT_DYNAMIC;
		interp += p->p_type == PT_INTERP;
		here += p->p_type == PT_LOAD && (ElfW(Addr))module - from < p->p_memsz;
	}
	if (++*(int *)n == 1)
		printf("module \"%s\" loads %d dynamic %d interp %d here %d\n", info->dlpi_name, loads > 1, dynamic, interp, here);
	else if (strncmp(info->dlpi_name, "linux-", 6)) // the vDSO comes where the loader puts it
		printf("module %s dynamic %d here %d\n", base(info->dlpi_name), dynamic, here);
	return 0;
}

static void *work(void *arg)
{
	tls += (int)(long)arg;
	dep_tls += (int)(long)arg;
	return (void *)(long)(tls + dep_tls + dep(1) + throws());
}

static void clean(void *arg) { printf("cancelled: cleanup %s\n", (char *)arg); }

static void *wait_forever(void *arg)
{
	pthread_cleanup_push(clean, arg);
	for (;;)
		usleep(1000);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *leave(void *arg)
{
	pthread_cleanup_push(clean, arg);
	pthread_exit((void *)5);
	pthread_cleanup_pop(0);
	return NULL;
}

static void threads(void)
{
	pthread_t t[4], c, e;
	void *r;
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		printf("thread %d: %ld\n", i, (long)r);
	}
	pthread_create(&c, NULL, wait_forever, "cancel");
	pthread_cancel(c);
	pthread_join(c, &r);
	printf("cancelled %d\n", r == PTHREAD_CANCELED);
	pthread_create(&e, NULL, leave, "exit");
	pthread_join(e, &r);
	printf("exited %ld\n", (long)r);
}

static void opened(void)
{
	void *h = dlopen("libplugin.so", RTLD_NOW);
	if (!h) {
		printf("dlopen: %s\n", dlerror());
		exit(1);
	}
	int (*plugin)(int) = (int (*)(int))dlsym(h, "plugin");
	printf("plugin %d\n", plugin(2));
	Dl_info info;
	if (dladdr((void *)plugin, &info))
		printf("dladdr %s %s\n", base(info.dli_fname), info.dli_sname);
	if (dladdr((void *)module, &info))
		printf("dladdr of the program %s\n", info.dli_fname);
}

static void auxiliary(void)
{
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	unsigned long interp = 0, self = 0;
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
		interp += p[i].p_type == PT_INTERP;
		self += p[i].p_type == PT_PHDR;
	}
	printf("vdso %d page %lu base %d entry %d phdr %lu interp %lu phent %d secure %lu random %d execfn %s\n",
	       getauxval(AT_SYSINFO_EHDR) != 0, getauxval(AT_PAGESZ), getauxval(AT_BASE) != 0,
	       (getauxval(AT_ENTRY) & ~1ul) == ((unsigned long)_start & ~1ul), self, interp,
	       getauxval(AT_PHENT) == sizeof *p, getauxval(AT_SECURE), getauxval(AT_RANDOM) != 0,
	       (char *)getauxval(AT_EXECFN));
	printf("hwcap %lx %lx clktck %lu\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2), getauxval(AT_CLKTCK));
}

static void files(void)
{
	char exe[PATH_MAX + 1] = "", comm[64] = "";
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX);
	printf("exe %zd %s\n", n, exe);
	int fd = open("/proc/self/comm", O_RDONLY);
	n = read(fd, comm, sizeof comm - 1);
	close(fd);
	printf("comm %s", n > 0 ? comm : "none\n");
	printf("open");
	for (int i = 0; i < 20; i++)
		if (fcntl(i, F_GETFD) >= 0)
			printf(" %d", i);
	printf("\n");
}

static int deep(int n)
{
	volatile char frame[1024];
	frame[0] = (char)n;
	return n ? deep(n - 1) + frame[0] - (char)n + 1 : 0;
}

static void memory(void)
{
	struct rlimit l;
	getrlimit(RLIMIT_STACK, &l);
	char *old = sbrk(0), *heap = malloc(100), *large = malloc(64 << 20);
	memset(large, 1, 64 << 20);
	printf("stack %ld deep %d brk %d heap %d large %d\n", (long)l.rlim_cur, deep(2000), old != (char *)-1, heap != NULL, large != NULL);
	free(large);
	free(heap);
}

// title overwrites what programs that set their title take for theirs: from argv[0] to the end of the
// last argument (libuv: uv_setup_args), and the environment where that stands behind (PostgreSQL:
// save_ps_display_args).
static void title(int argc, char **argv, int tell)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1, *stop = end;
	int next = 1;
	for (int i = 1; i < argc; i++)
		next &= argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1;
	for (char **e = environ; *e; e++)
		if (*e == stop)
			stop = *e + strlen(*e) + 1;
	if (tell)
		printf("arguments %d area %ld with environment %ld\n", next, (long)(end - argv[0]), (long)(stop - argv[0]));
	memset(argv[0], 0, (size_t)(end - argv[0]));
}

static void file(const char *path)
{
	FILE *f = fopen(path, "r");
	printf("%s ", path);
	for (int c; (c = getc(f)) != EOF;)
		putchar(c);
	printf("\n");
	fclose(f);
}

// given tells all that the process was given, and with "kernel" what the kernel says of it.
static int given(int argc, char **argv, int kernel)
{
	printf("argc %d called \"%s\" \"%s\"\n", argc, program_invocation_name, program_invocation_short_name);
	for (int i = 0; i <= argc; i++)
		printf("argv \"%s\"\n", argv[i] ? argv[i] : "(null)");
	for (char **e = environ; *e; e++)
		printf("env \"%s\"\n", *e);
	auxiliary();
	files();
	if (kernel) {
		file("/proc/self/cmdline");
		file("/proc/self/environ");
	}
	title(argc, argv, kernel);
	return 7;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "given"))
		return given(argc, argv, argc > 2 && !strcmp(argv[2], "kernel"));
	size_t bytes = 0, n = 0;
	for (char **e = environ; *e; e++, n++)
		bytes += strlen(*e) + 1;
	printf("argc %d env %d %d big %d constructed %d\n", argc, getenv("PROBE") && !strcmp(getenv("PROBE"), "1"), n > 0, bytes > 5000000, constructed);
	for (int i = 0; i < argc; i++)
		printf("argv %s\n", argv[i]);
	atexit(at_exit);
	tls += 2;
	printf("tls %d %d dep %d throws %d\n", tls, dep_tls, dep(3), throws());
	auxiliary();
	files();
	memory();
	threads();
	opened();
	n = 0;
	dl_iterate_phdr(module, &n);
	struct timespec now;
	printf("clock %d\n", clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_sec + now.tv_nsec > 0);
	return 7;
}
