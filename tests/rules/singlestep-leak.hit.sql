-- TF in privileged code; and a handler after a single-step #DB
INSERT INTO cpu(machine_id, sample_id, cpu, rflags, lin_rip, cpl, smm, mp_state) VALUES
 (1, 0, 0, 770, 4096, 0, 0, 0),
 (1, 0, 1, 2, 4096, 0, 0, 0);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 4294905840),
 (1, 0, 1, 'dr6', 4294922224);
