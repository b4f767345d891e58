-- no GD
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision, smi_count) VALUES
 (1, 0, 0, 1, 196608, 'amd64', 131172, 1);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value, text) VALUES
 (1, 0, 0, 'dr7', 262000, 1024, NULL),
 (1, 0, 0, 'dr6', 262001, 9216, NULL);
