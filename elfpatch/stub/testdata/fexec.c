// fexec PROGRAM ARGV...: starts a program by a descriptor that its exec closes, so that its AT_EXECFN
// names nothing.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	fexecve(open(argv[1], O_RDONLY | O_CLOEXEC), argv + 2, environ);
	perror(argv[1]);
	return 1;
}
