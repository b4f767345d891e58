-- id:         pt-reserved-bit
-- severity:   fatal
-- confidence: proof
-- needs:      pt_entry pt_refused
-- title:      A page-table entry in use has a reserved bit set
-- why:        Any access through it is a #PF with the RSVD bit in its error code; no system maps anything so.
-- fix:        See the entry (inquest pt): a page of tables that was freed and written by others, an address beyond the CPU's width, a NX bit without EFER.NXE.
-- source:     SDM vol. 3, 4.7 and tables 4-14 to 4-19; APM vol. 2, 5.3
-- proof:      scenario rsvd-bit
SELECT sample_id || '.' || cpu || '.' || tbl || '.' || hex64(addr) AS key,
       machine_id,
       'cpu ' || cpu AS subject,
       'of cpu ' || cpu || ' the walk to ' || group_concat(DISTINCT
            CASE what WHEN 'rip' THEN 'its instruction' WHEN 'rsp' THEN 'its stack'
                      WHEN 'cr2' THEN 'the address of its last page fault'
                      WHEN 'idtr' THEN 'its IDT' WHEN 'gdtr' THEN 'its GDT' ELSE 'its TSS' END)
       || ' ends at the ' || tbl || ' entry ' || hex64(entry) || ' at ' || hex64(addr)
       || coalesce(': ' || why, '') AS detail,
       'fatal' AS severity
  FROM pt_entry
 WHERE verdict = 'reserved bit set'
   AND tbl <> 'page'
 GROUP BY machine_id, sample_id, cpu, tbl, addr
UNION ALL
SELECT 'table.' || sample_id || '.' || cpu,
       machine_id,
       'cpu ' || cpu,
       'in the tables of cpu ' || cpu || ' ' || count(*)
       || iif(count(*) = 1, ' entry has', ' entries have') || ' a reserved bit set, the first is the '
       || tbl || ' entry ' || hex64(entry) || ' at ' || hex64(min(addr))
       || coalesce(': ' || why, ''),
       'error'
  FROM pt_refused
 WHERE no_gbpages = 0
   AND NOT EXISTS (SELECT 1 FROM pt_entry e
                    WHERE e.machine_id = pt_refused.machine_id
                      AND e.verdict = 'reserved bit set' AND e.addr = pt_refused.addr)
 GROUP BY machine_id, sample_id, cpu;

SELECT e.sample_id || '.' || e.cpu || '.' || e.tbl || '.' || hex64(e.addr) AS key,
       p.machine_id,
       'pt_entry' AS tbl,
       p.rowid AS row,
       p.what || ' ' || hex64(p.linear) || ': ' || p.tbl || coalesce('[' || p.idx || ']', '')
       || ' at ' || coalesce(hex64(p.addr), 'no address') || ' = '
       || coalesce(hex64(p.entry), 'unknown') || coalesce(' ' || p.flags, '') || ', ' || p.verdict
       || coalesce(': ' || p.why, '') AS text
  FROM pt_entry p
  JOIN pt_entry e ON e.machine_id = p.machine_id AND e.sample_id = p.sample_id
       AND e.cpu = p.cpu AND e.what = p.what
 WHERE p.tbl <> 'page'
   AND e.tbl <> 'page'
   AND e.verdict = 'reserved bit set'
UNION ALL
SELECT 'table.' || sample_id || '.' || cpu,
       machine_id,
       'pt_refused',
       rowid,
       tbl || '[' || idx || '] at ' || hex64(addr) || ' = ' || hex64(entry) || ', for '
       || hex64(linear) || coalesce(': ' || why, '')
  FROM pt_refused
 WHERE no_gbpages = 0;

SELECT machine_id,
       'pt_entry' AS tbl,
       'page-table entries are not in the dump: ' || count(*) AS message
  FROM pt_entry
 WHERE verdict = 'not dumped'
   AND tbl <> 'page'
 GROUP BY machine_id;
