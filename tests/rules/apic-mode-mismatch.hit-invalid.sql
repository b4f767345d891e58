-- EXTD without EN
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'apic_base', 4276093952);
