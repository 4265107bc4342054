int throws(void) { return 0; }
