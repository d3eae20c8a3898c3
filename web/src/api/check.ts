// Whether an answer is what it should be. A wrong one is dropped, and what came before stays; nothing else on the page has to doubt its data.

import type { Demographics, DeskLog, Elections, EngineAnswer, Rejects, Results, Timeline } from './types';

type Bag = Record<string, unknown>;

const isBag = (v: unknown): v is Bag => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCount = (v: unknown): v is number => typeof v === 'number' && Number.isFinite(v) && v >= 0;
const isText = (v: unknown): v is string => typeof v === 'string';
/** Absent, null, or as it should be. */
const maybe = (v: unknown, is: (v: unknown) => boolean) => v === undefined || v === null || is(v);
const listOf = (v: unknown, is: (v: unknown) => boolean) => Array.isArray(v) && v.every(is);
const isTime = (v: unknown) => isText(v) && !Number.isNaN(Date.parse(v));

const isSeats = (v: unknown) => isBag(v) && isCount(v.leading) && isCount(v.decided);
const isCandidate = (v: unknown) =>
	isBag(v) &&
	isText(v.id) &&
	isText(v.name) &&
	isCount(v.votes) &&
	maybe(v.party, isText) &&
	maybe(v.colour, isText) &&
	maybe(v.seats, isSeats);
const isRegion = (v: unknown) =>
	isBag(v) &&
	isText(v.code) &&
	isText(v.name) &&
	isCount(v.counted) &&
	maybe(v.seats, isCount) &&
	maybe(v.expected, isCount) &&
	maybe(v.late, isCount) &&
	isBag(v.votes) &&
	Object.values(v.votes).every(isCount);
const isElection = (v: unknown) =>
	isBag(v) &&
	isText(v.name) &&
	isText(v.id) &&
	maybe(v.note, isText) &&
	maybe(v.date, isText) &&
	maybe(v.time_zone, isText) &&
	maybe(v.seats_to_win, isCount) &&
	maybe(v.seats, isCount);

/** A snapshot that the page can show. */
export function isResults(v: unknown): v is Results {
	return (
		isBag(v) &&
		isElection(v.election) &&
		isCount(v.sequence) &&
		isCount(v.counted) &&
		maybe(v.as_of, isTime) &&
		maybe(v.expected, isCount) &&
		maybe(v.ledger, (l) => isBag(l) && isText(l.digest)) &&
		listOf(v.candidates, isCandidate) &&
		listOf(v.regions, isRegion)
	);
}

export const isTimeline = (v: unknown): v is Timeline =>
	isBag(v) &&
	listOf(v.candidates, isText) &&
	listOf(v.points, (p) => isBag(p) && isTime(p.minute) && isCount(p.counted) && listOf(p.votes, isCount)) &&
	listOf(v.lead_changes, (c) => isBag(c) && isTime(c.minute) && maybe(c.region, isText) && isText(c.to));

export const isDemographics = (v: unknown): v is Demographics =>
	isBag(v) &&
	listOf(v.bands, isText) &&
	listOf(v.genders, isText) &&
	[v.nation, ...(Array.isArray(v.regions) ? v.regions.map((r: unknown) => isBag(r) && r.blocks) : [null])].every(
		(blocks) => listOf(blocks, (b) => isBag(b) && isText(b.candidate) && listOf(b.cells, isCount)),
	);

export const isDesk = (v: unknown): v is DeskLog =>
	isBag(v) &&
	listOf(
		v.acts,
		(a) =>
			isBag(a) &&
			isCount(a.number) &&
			isTime(a.time) &&
			isText(a.action) &&
			maybe(a.region, isText) &&
			maybe(a.counted, isCount),
	);

const isFacts = (v: unknown) =>
	isBag(v) &&
	['records_per_s', 'commit_p50_ms', 'commit_p99_ms', 'backlog', 'workers'].every((key) => maybe(v[key], isCount));
export const isEngine = (v: unknown): v is EngineAnswer =>
	isBag(v) &&
	isCount(v.viewers) &&
	isFacts(v) &&
	maybe(v.engine, (e) => isFacts(e) && maybe((e as Bag).paused, isText));

export const isRejects = (v: unknown): v is Rejects =>
	isBag(v) && isBag(v.reasons) && Object.values(v.reasons).every(isCount);

export const isElections = (v: unknown): v is Elections =>
	isBag(v) && listOf(v.elections, (e) => isBag(e) && isText(e.id) && isText(e.name));
