-- upper halves; cleared fixed bits
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 4294905840),
 (1, 0, 0, 'dr7', 1103806596096),
 (1, 0, 1, 'dr6', 0),
 (1, 0, 1, 'dr7', 9216),
 (1, 0, 2, 'dr6', 4294905840),
 (1, 0, 2, 'dr7', 5120);
