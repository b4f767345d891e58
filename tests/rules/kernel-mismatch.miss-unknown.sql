-- where the image ends is unknown: nothing lies outside of it
INSERT INTO kernel(machine_id, nr, os, text, last) VALUES (1, 0, 'linux', -2130706432, NULL);
INSERT INTO kernel_fact(machine_id, nr, fact, value, words, source, cpu) VALUES
 (1, 0, 'release', NULL, '6.1.0-1', 'vmcoreinfo', NULL),
 (1, 1, 'syscall_entry', -4096, NULL, 'lstar', 0);
