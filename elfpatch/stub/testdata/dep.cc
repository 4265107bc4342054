#include <stdexcept>

void thrower(int n);
void thrower(int n)
{
	try {
		if (n == 3)
			throw std::runtime_error("three");
	} catch (const std::exception &) {
		throw;
	}
}
