// The start stub: the kernel enters it as the program's entry, because the program has no PT_INTERP,
// and it does what the kernel would have done with one that is relative to the program: it maps the
// loader (ld.so) that stands at a path relative to the program, tells the loader of the program in
// the auxiliary vector, and enters it. The stack that the kernel made is used as it is, so the vDSO,
// argv, the environment and the stack limit are the kernel's own.
//
// It is position-independent code without data and without relocations: one piece of bytes, which
// stands behind a `struct note` in the program. ../stub.go writes that.
#include <elf.h>
#include <stdint.h>

#if __SIZEOF_POINTER__ == 8
#define ElfW(name) Elf64_##name
#define CLASS ELFCLASS64
#else
#define ElfW(name) Elf32_##name
#define CLASS ELFCLASS32
#endif

typedef uintptr_t word;

#include MACHINE

// What stands in front of the code.
struct note {
	uint32_t namesz, descsz, type;
	char name[12];
	uint64_t addr;         // where this note was linked to stand
	uint64_t entry;        // the program's own entry
	uint32_t loader, size; // the loader's relative path: how far behind the note, and its length with NUL
};

extern const struct note note __attribute__((visibility("hidden"))); // stub.ld: in front of _start
extern const char code[] __asm__("_start") __attribute__((visibility("hidden")));

enum {
	at_fdcwd = -100,
	o_cloexec = 02000000,
	prot_read = 1, prot_write = 2,
	map_private = 2, map_fixed = 0x10, map_anonymous = 0x20,
	path_max = 4096,
	head_size = 4096, // where a loader's headers must end
	aux_types = 32,
};

static inline word syscall3(word n, word a, word b, word c)
{
	register word rn __asm__(REG_N) = n, ra __asm__(REG_A) = a, rb __asm__(REG_B) = b, rc __asm__(REG_C) = c;
	__asm__ volatile(TRAP : "+r"(rn), "+r"(ra) : "r"(rb), "r"(rc) : CLOBBERS "memory");
	return RESULT;
}

static inline word syscall6(word n, word a, word b, word c, word d, word e, word f)
{
	register word rn __asm__(REG_N) = n, ra __asm__(REG_A) = a, rb __asm__(REG_B) = b, rc __asm__(REG_C) = c,
		      rd __asm__(REG_D) = d, re __asm__(REG_E) = e, rf __asm__(REG_F) = f;
	__asm__ volatile(TRAP : "+r"(rn), "+r"(ra) : "r"(rb), "r"(rc), "r"(rd), "r"(re), "r"(rf) : CLOBBERS "memory");
	return RESULT;
}

// Linux returns -errno in the last page of addresses.
static int failed(word result) { return result > -4096ul; }

static __attribute__((noinline)) word length(const char *s)
{
	word n = 0;
	while (s[n])
		n++;
	return n;
}

static __attribute__((noinline)) void say(const char *s) { syscall3(sys_write, 2, (word)s, length(s)); }

// die says one line and ends the process as the shell does where it cannot start a program.
static __attribute__((noinline)) _Noreturn void die(const char *path, const char *why, word result)
{
	say("nixbundle: ");
	say(path);
	say(why);
	if (failed(result)) {
		say(", errno ");
		word digits = '0' | '0' << 8; // all machines here are little-endian
		for (; result < -9ul; result += 10)
			digits++;
		digits -= result << 8;
		say((char *)&digits);
	}
	say("\n");
	for (;;)
		syscall3(sys_exit_group, 127, 0, 0);
}

// map is mmap that does not fail.
static __attribute__((noinline)) word map(const char *path, word addr, word size, word prot, word flags, word fd, word offset)
{
	word at = syscall6(sys_mmap, addr, size, prot, map_private | flags, fd, offset >> mmap_shift);
	if (failed(at))
		die(path, ": cannot be mapped", at);
	return at;
}

static __attribute__((noinline)) void copy(void *to, const void *from, word n)
{
	for (word i = 0; i < n; i++)
		((char *)to)[i] = ((const char *)from)[i];
}

// locate writes the loader's absolute path: the program's folder, one folder up for each leading
// "../", and the rest. It returns where that ends, behind its NUL. What /proc/self/exe says holds no
// links, so the text is enough; that a program was deleted is said behind the last slash.
static char *locate(char *path, const char *relative, const char *program)
{
	word n = syscall6(sys_readlinkat, at_fdcwd, (word)"/proc/self/exe", (word)path, path_max, 0, 0);
	if (failed(n))
		die(program, ": /proc/self/exe cannot be read: is /proc mounted?", n);
	char *end = path + n;
	*end = 0;
	for (;; relative += 3) {
		while (end > path && *--end != '/')
			;
		if (relative[0] != '.' || relative[1] != '.' || relative[2] != '/')
			break;
		if (end == path)
			die(path, ": no folder to find the loader from: started from memory (memfd), or moved", 0);
	}
	do
		*++end = *relative;
	while (*relative++);
	return end + 1;
}

// load maps the loader as the kernel does (fs/binfmt_elf.c: load_elf_interp), returns its entry and
// puts the difference between its addresses in memory and in the file in *base.
static word load(const char *path, word page, word *base)
{
	union {
		ElfW(Ehdr) elf;
		char bytes[head_size];
	} head;
	word fd = syscall3(sys_openat, at_fdcwd, (word)path, o_cloexec);
	if (failed(fd))
		die(path, ": the loader cannot be opened: is the bundle whole?", fd);
	word size = syscall3(sys_read, fd, (word)&head, head_size);
	ElfW(Ehdr) *elf = &head.elf;
	if (failed(size) || size < sizeof *elf || *(uint32_t *)elf->e_ident != *(const uint32_t *)ELFMAG ||
	    elf->e_ident[EI_CLASS] != CLASS || elf->e_machine != em_self || elf->e_type != ET_DYN ||
	    elf->e_phentsize != sizeof(ElfW(Phdr)) || elf->e_phoff > size ||
	    elf->e_phnum * sizeof(ElfW(Phdr)) > size - elf->e_phoff)
		die(path, ": no loader for this program", 0);

	ElfW(Phdr) *first = (void *)(head.bytes + elf->e_phoff), *end = first + elf->e_phnum;
	word rest = page - 1, top = 0;
	for (ElfW(Phdr) *p = first; p < end; p++)
		if (p->p_type == PT_LOAD)
			top = p->p_vaddr + p->p_memsz;
	// A loader is linked at address 0.
	word at = map(path, 0, top, 0, map_anonymous, -1, 0);
	*base = at;
	for (ElfW(Phdr) *p = first; p < end; p++) {
		if (p->p_type != PT_LOAD)
			continue;
		word prot = p->p_flags << 2 & 4 | p->p_flags & 2 | p->p_flags >> 2 & 1;
		word from = *base + p->p_vaddr, in = from & rest, data = from + p->p_filesz;
		if ((from ^ p->p_offset) & rest || from - in < at)
			die(path, ": not aligned for the pages of this kernel", 0);
		if (p->p_filesz)
			map(path, from - in, data - from + in, prot, map_fixed, fd, p->p_offset - in);
		at = (from + p->p_memsz + rest) & -page;
		if (prot & prot_write && data < at) {
			// Behind the end of the file qemu-user takes a page larger than its own for protected.
			syscall3(sys_mprotect, data & -page, page, prot);
			for (; data & rest; data++)
				*(volatile char *)data = 0;
		}
		data = (data + rest) & -page;
		if (at > data)
			map(path, data, at - data, prot, map_fixed | map_anonymous, -1, 0);
	}
	syscall3(sys_close, fd, 0, 0);
	return *base + elf->e_entry;
}

// describe gives the loader program headers that say what the file's would with a PT_INTERP: ld.so
// takes its own name from there (glibc elf/rtld.c: rtld_setup_main_map; musl ldso/dynlink.c:
// __dls3), and the program's load address from PT_PHDR.
static void describe(word *phdr, word *count, const char *path, word length, word bias)
{
	word n = *count, size = (n + 2) * sizeof(ElfW(Phdr));
	word at = map(path, 0, size + length, prot_read | prot_write, map_anonymous, -1, 0);
	ElfW(Phdr) *to = (void *)at;
	copy(to + 2, (void *)*phdr, size - 2 * sizeof *to);
	copy((char *)to + size, path, length);
	for (word i = 2; i < n + 2; i++)
		if (to[i].p_type == PT_PHDR)
			to[i].p_type = PT_NULL;
	to[0].p_type = PT_PHDR;
	to[0].p_vaddr = at - bias;
	to[0].p_memsz = size;
	to[1].p_type = PT_INTERP;
	to[1].p_vaddr = at - bias + size;
	to[1].p_memsz = length;
	syscall3(sys_mprotect, at, size, prot_read);
	*phdr = at;
	*count = n + 2;
}

// take_argv0 removes every entry that chooses argv[0] from the environment and closes the gap, so that
// the auxiliary vector stands right behind the environment as before. It returns the first one's
// text, or 0.
static const char *take_argv0(word *envp)
{
	const char *text = 0;
	word *to = envp, type;
	for (; *envp; envp++) {
		const char *name = "NIXBUNDLE_ARGV0=", *entry = (const char *)*envp; // ../code.go: Argv0Variable
		while (*name && *name == *entry)
			name++, entry++;
		if (*name)
			*to++ = *envp;
		else if (!text)
			text = entry;
	}
	*to++ = *envp++;
	do {
		type = *to++ = *envp++;
		*to++ = *envp++;
	} while (type);
	return text;
}

// set_argv0 gives the program the argv[0] that its environment chooses, and reports whether the stack
// has changed. The kernel starts the program once more, with that argv and environment: all that it
// says of them is right then, /proc/self/cmdline too. Where it refuses, the text is written over
// argv[0] unless it is longer. A pointer to where the text stands would be fatal: what sets a process
// title takes all from argv[0] to the end of the last argument for its own (libuv: uv_setup_args).
static int set_argv0(word *stack, const char *program)
{
	word *argv = stack + 1, *envp = argv + *stack + 1;
	const char *text = take_argv0(envp);
	if (!text || !*stack)
		return text != 0;
	char *old = (char *)*argv;
	*argv = (word)text;
	syscall3(sys_execve, (word)program, (word)argv, (word)envp);
	*argv = (word)old;
	if (length(text) <= length(old))
		while (*old)
			*old++ = *text ? *text++ : 0;
	return 1;
}

// start returns where to go. A loader that was started itself with the program as its argument has
// loaded everything when it comes here: it hands over a function in the register that the kernel
// leaves zero (glibc, `finish`), or, with musl, AT_ENTRY is its own.
__attribute__((visibility("hidden"), used)) word start(word *stack, word finish)
{
	word *at[aux_types], *aux = stack + 1 + *stack + 1;
	while (*aux++)
		;
	for (; *aux; aux += 2)
		if (*aux < aux_types)
			at[*aux] = aux + 1;
	word bias = (word)&note - (word)note.addr, own = bias + (word)note.entry;
	if (finish || *at[AT_ENTRY] != (word)code)
		return own;

	const char *program = (const char *)*at[AT_EXECFN];
	if (*at[AT_SECURE])
		die(program, ": AT_SECURE (set-id bits, capabilities): it cannot bring its loader", 0);
	if (set_argv0(stack, program))
		return start(stack, finish);
	char path[2 * path_max];
	char *end = locate(path, (const char *)&note + note.loader, program);
	word to = load(path, *at[AT_PAGESZ], at[AT_BASE]);
	describe(at[AT_PHDR], at[AT_PHNUM], path, end - path, bias);
	*at[AT_ENTRY] = own;
	return to;
}
