int dep(int);
static __thread int tls = 5;
int plugin(int n) { return dep(n) + tls++; }
