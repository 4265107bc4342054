// Arm EABI, version 6 and later, hard and soft float: system calls by svc 0 with the number in r7;
// mmap2 counts in 4096 bytes whatever the page size. All but the entry is Thumb code, for its size.
// The loader may be of either kind, which bx tells by bit 0.
enum {
	em_self = EM_ARM,
	sys_read = 3, sys_write = 4, sys_close = 6, sys_execve = 11, sys_mprotect = 125, sys_mmap = 192,
	sys_exit_group = 248, sys_openat = 322, sys_readlinkat = 332,
	mmap_shift = 12,
};

#define REG_N "r7"
#define REG_A "r0"
#define REG_B "r1"
#define REG_C "r2"
#define REG_D "r3"
#define REG_E "r4"
#define REG_F "r5"
#define TRAP "svc 0"
#define CLOBBERS
#define RESULT ra

__asm__(".section .text.start,\"ax\"\n"
	".arm\n"
	".globl _start\n.hidden _start\n.type _start, %function\n"
	"_start:\n"
	"	mov r4, r0\n" // what the loader hands over, or 0
	"	mov r1, r0\n"
	"	mov r0, sp\n"
	"	adr lr, back\n"
	"	adr ip, thumb + 1\n"
	"	bx ip\n"
	".thumb\n"
	"thumb:\n"
	"	b start\n"
	".align 2\n"
	".arm\n"
	"back:\n"
	"	mov ip, r0\n"
	"	mov r0, r4\n"
	".irp n, 1,2,3,4,5,6,7,8,9,10,11,14\n"
	"	mov r\\n, #0\n" // glibc's ld.so reads r4 before it writes it
	".endr\n"
	"	bx ip\n");
