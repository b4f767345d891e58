-- Linux is starting CPU 1
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, 1);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'apic_base', 4276096000),
 (1, 0, 1, 'apic_base', 4276095232);
INSERT INTO cpu_os(machine_id, sample_id, cpu, online) VALUES
 (1, 0, 0, 1),
 (1, 0, 1, 0);
