-- the bytes at the default SMBASE of a CPU that never took an SMI are no save area
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision, smi_count) VALUES
 (1, 0, 0, 0, 196608, 'amd64', 131172, 0);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value, text) VALUES
 (1, 0, 0, 'dr7', 262000, 9216, 'GD');
