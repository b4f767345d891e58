-- LIVE_SYSTEM_DUMP: somebody wanted to look, nothing crashed
INSERT INTO bugcheck(machine_id, code, name, build, cr3) VALUES (1, 353, 'LIVE_SYSTEM_DUMP', 22000, 4096);
