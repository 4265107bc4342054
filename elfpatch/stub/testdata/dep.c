__thread int dep_tls = 60;
static int initialised;
__attribute__((constructor)) static void construct(void) { initialised = 1000; }
int dep(int n) { return initialised + n; }
