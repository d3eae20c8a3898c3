// What the server says. `GET /api/results` and each message of `GET /api/live` are one `Results`, whole each time.
// Everything marked optional may be absent: the page then computes it or leaves the part out.

export type CountStatus = 'waiting' | 'counting' | 'complete';

export interface ElectionInfo {
	id: string;
	name: string;
	date?: string | null;
	simulated?: boolean;
	note?: string | null;
	time_zone?: string | null;
	/** Seats that win; null where votes alone decide; absent where the server does not say. */
	seats_to_win?: number | null;
	/** Seats of all regions, withheld ones too. */
	seats?: number | null;
	/** The expected votes are exact; otherwise an estimate. */
	expected_exact?: boolean;
	/** Votes are told apart by age or gender; absent where the server does not say. */
	demographics?: boolean;
	/** Smallest demographic cell that is published. */
	min_cell?: number | null;
}

export interface Seats {
	leading: number;
	decided: number;
}

export interface CandidateResult {
	id: string;
	name: string;
	party?: string | null;
	/** Address of a photograph, below this origin. */
	photo?: string | null;
	/** A palette name (`blue`, `vermilion`, `teal`, `ochre`, `purple`) or `#rrggbb`. */
	colour?: string | null;
	votes: number;
	/** Of `counted`, 0 to 1, unrounded. */
	share: number;
	/** `leading` does not hold the decided ones. */
	seats?: Seats | null;
}

export interface RegionResult {
	code: string;
	name: string;
	seats?: number | null;
	counted: number;
	expected?: number | null;
	/** `waiting`, `leading`, `tied`, `decided` or `closed` (declared final by the desk). */
	status: string;
	leader?: string | null;
	margin_votes?: number | null;
	/** Declared final. */
	closed?: boolean;
	/** Votes counted since then. */
	late?: number | null;
	votes: Record<string, number>;
}

export interface LedgerInfo {
	leaves: number;
	records: number;
	/** Leaves counted and not hashed yet. */
	pending?: number;
	digest: string;
}

export interface Results {
	election: ElectionInfo;
	sequence: number;
	as_of: string | null;
	status: CountStatus;
	records: number;
	counted: number;
	duplicate: number;
	rejected: number;
	expected?: number | null;
	/** Of a past view: its minute. */
	at?: string | null;
	/** Who has won, whatever still comes; absent where the server does not say. */
	winner?: string | null;
	closed?: boolean;
	late?: number | null;
	/** Regions that are in no number here: held by the desk, or under embargo. */
	withheld?: number;
	candidates: CandidateResult[];
	regions: RegionResult[];
	ledger?: LedgerInfo | null;
}

/** `GET /api/timeline`. */
export interface Timeline {
	sequence: number;
	/** The order of each point's `votes` and `seats`. */
	candidates: string[];
	points: TimelinePoint[];
	lead_changes: LeadChange[];
}

/** Totals at the end of a minute. */
export interface TimelinePoint {
	minute: string;
	counted: number;
	votes: number[];
	seats?: number[];
}

export interface LeadChange {
	minute: string;
	/** Null: in all regions together. */
	region: string | null;
	from: string;
	to: string;
	margin_votes: number;
}

/** `GET /api/demographics`: what is released. */
export interface Demographics {
	sequence: number;
	min_cell: number;
	/** In the order of cells; the last is unknown. */
	genders: string[];
	bands: string[];
	withheld: number;
	nation: DemographicBlock[];
	regions: { code: string; name: string; blocks: DemographicBlock[] }[];
}

export interface DemographicBlock {
	candidate: string;
	kind: 'gender' | 'age' | 'age_gender' | string;
	votes: number;
	/** One a gender, or one a band, or for each gender one a band. */
	cells: number[];
}

/** `GET /api/engine`. What stands beside `engine` is told by newer servers, also where counting runs in another process. */
export interface EngineAnswer extends EngineFacts {
	/** Null: no engine runs in the server's process. */
	engine: (EngineFacts & { paused: string | null }) | null;
	viewers: number;
}

/** Null: not known here, or not told while a region is withheld. */
export interface EngineFacts {
	records_per_s?: number | null;
	commit_p50_ms?: number | null;
	commit_p99_ms?: number | null;
	backlog?: number | null;
	workers?: number | null;
}

/** `GET /api/rejects`, without the token. */
export interface Rejects {
	rejected: number;
	reasons: Record<string, number>;
}

/** `GET /api/elections`. */
export interface Elections {
	elections: ElectionEntry[];
}

export interface ElectionEntry {
	id: string;
	name: string;
	date?: string | null;
	simulated?: boolean;
	status?: string | null;
}

/** `GET /api/desk`: what the desk did, oldest first. */
export interface DeskLog {
	acts: DeskAct[];
}

export interface DeskAct {
	number: number;
	/** By the clock on the wall, RFC 3339. */
	time: string;
	/** `close`, `reopen` or `hold`. */
	action: string;
	/** Null: the whole election. */
	region?: string | null;
	/** Votes of that region, or of all, counted then; null where they are not public. */
	counted?: number | null;
}
