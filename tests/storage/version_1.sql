-- An event log as the amla of commit b9573e7 wrote it, dumped by Python's sqlite3.
PRAGMA application_id = 1634561121;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE event (
	study TEXT NOT NULL, 
	sequence INTEGER NOT NULL, 
	kind TEXT NOT NULL CHECK (kind IN ('asked', 'told')), 
	trial INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (study, sequence)
);
INSERT INTO "event" VALUES('search',0,'asked',0,'{"architecture":{"nodes":[{"id":"image","op":{"kind":"input","shape":[1,4,4]},"inputs":[]},{"id":"head","op":{"kind":"global_pool","reduce":"mean"},"inputs":["image"]},{"id":"logits","op":{"kind":"classify","classes":2,"bias":true,"auxiliary":null},"inputs":["head"]}],"version":1},"budget":10,"method":{"kind":"fit"},"start":null,"probes":{"msss":["head"]},"horizon":null,"seed":0,"keep":true}',1.79594236569236660001e+09);
INSERT INTO "event" VALUES('search',1,'told',0,'{"kind":"measurement","metrics":{"accuracy":0.5,"loss":"NaN"},"statistics":{"msss":{"head":0.25}},"seconds":1.5,"cost":{"device":"cpu","flops":1000000000.0,"joules":null}}',1.79594236570078206061e+09);
INSERT INTO "event" VALUES('search',2,'asked',1,'{"architecture":{"nodes":[{"id":"image","op":{"kind":"input","shape":[1,4,4]},"inputs":[]},{"id":"head","op":{"kind":"global_pool","reduce":"mean"},"inputs":["image"]},{"id":"logits","op":{"kind":"classify","classes":2,"bias":true,"auxiliary":null},"inputs":["head"]}],"version":1},"budget":20,"method":{"kind":"fit"},"start":0,"probes":{},"horizon":40,"seed":7,"keep":false}',1.79594236570475625997e+09);
INSERT INTO "event" VALUES('search',3,'told',1,'{"kind":"failure","reason":"crashed","message":"it''s over","seconds":0.5}',1.79594236570866703983e+09);
INSERT INTO "event" VALUES('final',0,'asked',0,'{"architecture":{"nodes":[{"id":"image","op":{"kind":"input","shape":[1,4,4]},"inputs":[]},{"id":"head","op":{"kind":"global_pool","reduce":"mean"},"inputs":["image"]},{"id":"logits","op":{"kind":"classify","classes":2,"bias":true,"auxiliary":null},"inputs":["head"]}],"version":1},"budget":30,"method":{"kind":"fit"},"start":null,"probes":{},"horizon":null,"seed":0,"keep":true}',1.79594236571396446231e+09);
COMMIT;
