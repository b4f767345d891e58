-- all say the same; page tables of processes have roots of their own
INSERT INTO kernel(machine_id, nr, os, text, last) VALUES (1, 0, 'linux', -2130706432, -2097152001);
INSERT INTO kernel_fact(machine_id, nr, fact, value, words, source, cpu) VALUES
 (1, 0, 'release', NULL, '6.1.0-1', 'vmcoreinfo', NULL),
 (1, 1, 'release', NULL, '6.1.0-1', 'image', NULL),
 (1, 2, 'phys_base', -4096, NULL, 'vmcoreinfo', NULL),
 (1, 3, 'phys_base', -4096, NULL, 'cr3', 0),
 (1, 4, 'root', 4096, NULL, 'cr3', 0),
 (1, 5, 'root', 8192, NULL, 'cr3', 1),
 (1, 6, 'idt_handler', -2130706432, NULL, 'idtr', 0),
 (1, 7, 'idt_handler', -2097152001, NULL, 'idtr', 1);
