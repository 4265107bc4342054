// Exceptions in the program, and through a library into it.
#include <stdexcept>
#include <string>

void thrower(int n); // dep.cc

namespace {
struct Counter {
	int &n;
	~Counter() { n += 10; }
};
thread_local std::string text = "text";
} // namespace

extern "C" int throws(void)
{
	int n = 0;
	try {
		Counter c{n};
		throw 1;
	} catch (int i) {
		n += i;
	}
	try {
		Counter c{n};
		thrower(3);
	} catch (const std::runtime_error &e) {
		n += e.what() == std::string("three") ? 100 : 0;
	}
	return n + (text == "text" ? 1000 : 0);
}
