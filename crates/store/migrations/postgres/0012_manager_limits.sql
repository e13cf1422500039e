-- How much each manager does at once, as JSON.
ALTER TABLE managers ADD COLUMN limits TEXT COLLATE "C" NOT NULL DEFAULT '{}';
