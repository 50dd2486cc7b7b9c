"""platformctl: the platform's command line. It prints data on stdout and talks on stderr."""
