// x86-64: System V ABI 3.4.1 (process entry), A.2 (system calls).
enum {
	em_self = EM_X86_64,
	sys_read = 0, sys_write = 1, sys_close = 3, sys_mmap = 9, sys_mprotect = 10,
	sys_execve = 59, sys_exit_group = 231, sys_openat = 257, sys_readlinkat = 267,
	mmap_shift = 0,
};

#define REG_N "rax"
#define REG_A "rdi"
#define REG_B "rsi"
#define REG_C "rdx"
#define REG_D "r10"
#define REG_E "r8"
#define REG_F "r9"
#define TRAP "syscall"
#define CLOBBERS "rcx", "r11",
#define RESULT rn

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n.hidden _start\n"
	"_start:\n"
	"	endbr64\n"
	"	mov %rdx, %rbx\n" // what the loader hands over, or 0
	"	mov %rsp, %rbp\n" // 16-byte aligned
	"	mov %rsp, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	call start\n"
	"	mov %rbp, %rsp\n"
	"	mov %rbx, %rdx\n"
	"	xor %ebx, %ebx\n	xor %ecx, %ecx\n	xor %esi, %esi\n	xor %edi, %edi\n"
	"	xor %ebp, %ebp\n	xor %r8d, %r8d\n	xor %r9d, %r9d\n	xor %r10d, %r10d\n"
	"	jmp *%rax\n");
