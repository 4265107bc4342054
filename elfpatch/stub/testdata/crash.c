#include <stdlib.h>

__attribute__((noinline)) static void inner(int n)
{
	if (n)
		abort();
}
__attribute__((noinline)) static void outer(int n) { inner(n); __asm__ volatile(""); }
int main(int argc, char **argv)
{
	(void)argv;
	outer(argc);
	return 0;
}
