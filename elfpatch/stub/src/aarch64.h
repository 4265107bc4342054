// AArch64: Linux arch/arm64/include/asm/elf.h (ELF_PLAT_INIT), system calls by svc 0 with the number in x8.
enum {
	em_self = EM_AARCH64,
	sys_openat = 56, sys_close = 57, sys_read = 63, sys_write = 64, sys_readlinkat = 78,
	sys_exit_group = 94, sys_execve = 221, sys_mmap = 222, sys_mprotect = 226,
	mmap_shift = 0,
};

#define REG_N "x8"
#define REG_A "x0"
#define REG_B "x1"
#define REG_C "x2"
#define REG_D "x3"
#define REG_E "x4"
#define REG_F "x5"
#define TRAP "svc 0"
#define CLOBBERS
#define RESULT ra

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n.hidden _start\n"
	"_start:\n"
	"	hint #34\n" // bti c
	"	mov x19, x0\n" // what the loader hands over, or 0
	"	mov x1, x0\n"
	"	mov x0, sp\n"
	"	mov x29, xzr\n	mov x30, xzr\n"
	"	bl start\n"
	"	mov x16, x0\n"
	"	mov x0, x19\n"
	".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
	"	mov x\\n, xzr\n"
	".endr\n"
	"	br x16\n");
