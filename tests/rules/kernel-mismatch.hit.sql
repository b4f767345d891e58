-- VMCOREINFO of another kernel; and of CPU 1 the syscall entry lies elsewhere
INSERT INTO kernel(machine_id, nr, os, text, last) VALUES (1, 0, 'linux', -2130706432, -2097152001);
INSERT INTO kernel_fact(machine_id, nr, fact, value, words, source, cpu) VALUES
 (1, 0, 'release', NULL, '6.1.0-1', 'vmcoreinfo', NULL),
 (1, 1, 'release', NULL, '6.1.0-2', 'image', NULL),
 (1, 2, 'phys_base', -4096, NULL, 'vmcoreinfo', NULL),
 (1, 3, 'phys_base', 4096, NULL, 'cr3', 0),
 (1, 4, 'phys_base', 4096, NULL, 'cr3', 1),
 (1, 5, 'syscall_entry', -2130706000, NULL, 'lstar', 0),
 (1, 6, 'syscall_entry', -4096, NULL, 'lstar', 1);
