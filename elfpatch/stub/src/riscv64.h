// RISC-V, 64 bits: system calls by ecall with the number in a7. gp and tp are left alone:
// a loader that was started itself has set tp.
enum {
	em_self = EM_RISCV,
	sys_openat = 56, sys_close = 57, sys_read = 63, sys_write = 64, sys_readlinkat = 78,
	sys_exit_group = 94, sys_execve = 221, sys_mmap = 222, sys_mprotect = 226,
	mmap_shift = 0,
};

#define REG_N "a7"
#define REG_A "a0"
#define REG_B "a1"
#define REG_C "a2"
#define REG_D "a3"
#define REG_E "a4"
#define REG_F "a5"
#define TRAP "ecall"
#define CLOBBERS
#define RESULT ra

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n.hidden _start\n"
	"_start:\n"
	"	mv s1, a0\n" // what the loader hands over, or 0
	"	mv a1, a0\n"
	"	mv a0, sp\n"
	"	call start\n"
	"	mv t0, a0\n"
	"	mv a0, s1\n"
	".irp n, ra,t1,t2,s0,s1,a1,a2,a3,a4,a5,a6,a7,s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,t3,t4,t5,t6\n"
	"	li \\n, 0\n"
	".endr\n"
	"	jr t0\n");
