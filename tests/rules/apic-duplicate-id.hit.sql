-- two CPUs with id 0
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, 0);
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value, text) VALUES
 (1, 0, 0, 32, 'id', 0, NULL),
 (1, 0, 1, 32, 'id', 0, NULL);
