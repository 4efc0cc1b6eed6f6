"""What members of a federation do on machines of their own; `up`: all of them on this one."""
