-- Peaks are kept in another form and under another name, `waveform-1.peaks`. Those of before are forgotten, and made again; their
-- files are removed by whoever makes them.

DELETE FROM derived WHERE file = 'waveform.json' OR (file GLOB 'waveform-*.json');

UPDATE recordings SET derived_bytes =
    (SELECT coalesce(sum(bytes), 0) FROM derived WHERE derived.recording = recordings.recording);
