-- after reset; with a breakpoint, with RTM and a bus-lock trap
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 4294905840),
 (1, 0, 0, 'dr7', 1024),
 (1, 0, 1, 'dr6', 4294838257),
 (1, 0, 1, 'dr7', 855041);
