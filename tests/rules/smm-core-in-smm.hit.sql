-- a CPU in SMM with its save area, and one of which nothing more than the flag is known
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, smm, nmi_masked) VALUES
 (1, 0, 0, 'long', 4096, 4096, 0, 0),
 (1, 0, 1, 'real', 229376, 32768, 1, 1),
 (1, 0, 2, NULL, NULL, NULL, 1, NULL);
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision) VALUES
 (1, 0, 1, 1, 196608, 'amd64', 131172);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value) VALUES
 (1, 0, 1, 'rip', 262008, 65536), (1, 0, 1, 'cr3', 261968, 8192);
