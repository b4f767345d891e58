-- a dump of a machine that did not crash: no code
INSERT INTO bugcheck(machine_id, code, name, build, cr3) VALUES (1, 0, NULL, 22000, 4096);
