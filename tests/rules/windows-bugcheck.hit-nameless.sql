-- a code that nobody knows, and no registers
INSERT INTO bugcheck(machine_id, code, name, build, cr3) VALUES (1, 39321, NULL, 22000, 4096);
