-- id:         pt-1g-without-pdpe1gb
-- severity:   error
-- confidence: proof
-- needs:      pt_refused
-- uses:       cpu
-- title:      The page tables map 1 GiB at once, which CPUID does not offer
-- why:        With nested paging the hardware walks by the host's abilities, so the guest runs; where KVM walks in software, for an instruction that it emulates or with shadow paging, bit 7 is reserved and the walk fails.
-- fix:        Offer pdpe1gb in the vCPU's CPUID, or let the guest check CPUID 0x80000001 EDX bit 26 and map pages of 2 MiB.
-- source:     SDM vol. 3, table 4-16; Linux arch/x86/kvm/mmu/mmu.c __reset_rsvds_bits_mask
-- proof:      scenario pdpe1gb
SELECT 'gbpages' AS key,
       r.machine_id,
       'machine' AS subject,
       count(*) || iif(count(*) = 1, ' entry maps', ' entries map') || ' 1 GiB, the first '
       || hex64(r.linear) || ' by ' || hex64(r.entry) || ' at ' || hex64(min(r.addr))
       || '; CPUID 0x80000001 EDX bit 26 is 0' AS detail,
       CASE WHEN EXISTS (SELECT 1 FROM cpu c
                          WHERE c.machine_id = r.machine_id AND c.exit_reason = 17)
            THEN 'fatal' ELSE 'error' END AS severity
  FROM pt_refused r
 WHERE r.no_gbpages = 1
 GROUP BY r.machine_id;

SELECT 'gbpages' AS key,
       machine_id,
       'pt_refused' AS tbl,
       rowid AS row,
       'cpu ' || cpu || ': ' || tbl || '[' || idx || '] at ' || hex64(addr) || ' = ' || hex64(entry)
       || ', for ' || hex64(linear) || coalesce(': ' || why, '') AS text
  FROM pt_refused
 WHERE no_gbpages = 1;

SELECT machine_id,
       'pt_refused' AS tbl,
       'whether CPUID offers pages of 1 GiB is unknown, and ' || count(*)
       || iif(count(*) = 1, ' entry maps', ' entries map') || ' one' AS message
  FROM pt_refused
 WHERE no_gbpages IS NULL
 GROUP BY machine_id;
