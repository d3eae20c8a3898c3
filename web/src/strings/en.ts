// Every English word on the page. Another language is another file of this shape (`es.ts`).

import { count, counted, list, short } from './format';

const plural = new Intl.PluralRules('en-US');
const n = (many: number, one: string, other: string) => counted(many, plural, one, other);

export interface Words {
	one: string;
	many: string;
	seats: string;
	seatsShort: string;
}
/** What the parts of the electorate are called: states with electoral votes, or regions with seats. */
const US: Words = { one: 'state', many: 'states', seats: 'electoral votes', seatsShort: 'EV' };
const ANY: Words = { one: 'region', many: 'regions', seats: 'seats', seatsShort: 'seats' };
/** Why a record is no vote, as the server calls it, in words. */
const reasons: Record<string, string> = {
	too_large: 'Larger than a record may be',
	malformed: 'Not readable as a record',
	missing_id: 'No voter named',
	invalid_id: 'A voter’s name that cannot be one',
	unknown_region: 'A region that does not vote here',
	unknown_candidate: 'A candidate who does not stand, or none',
	invalid_age: 'An age that cannot be one',
	under_age: 'Too young to vote',
	invalid_gender: 'A gender that the election does not name',
	invalid_time: 'A time that cannot be read',
	outside_voting_hours: 'Outside voting hours',
	misrouted: 'In the wrong partition',
};
const capital = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);

export const en = {
	words: (us: boolean): Words => (us ? US : ANY),
	capital,
	app: 'votestream',
	title: (name: string) => `${name}: live results`,
	skip: 'Skip to the results',
	simulated: 'Simulated',
	simulatedHint: 'The votes are generated, not cast.',
	tag: { decided: 'Decided', leading: 'Leading', tied: 'Tied', none: 'No votes yet', complete: 'Complete' },

	status: {
		loading: 'Loading',
		waiting: 'Waiting',
		live: 'Live',
		stale: 'Stale',
		offline: 'Offline',
		paused: 'Paused',
		final: 'Complete',
		error: 'Error',
		past: 'Past',
		snapshot: 'Snapshot',
	},
	statusLabel: (s: string) => `Status: ${s}`,
	updated: (seconds: number | null) => {
		if (seconds === null) return '';
		if (seconds < 2) return 'updated just now';
		if (seconds < 60) return `updated ${seconds} s ago`;
		if (seconds < 3600) return `updated ${Math.floor(seconds / 60)} min ago`;
		return `updated ${Math.floor(seconds / 3600)} h ago`;
	},
	pause: 'Pause',
	resume: 'Resume',
	pauseHint: 'Pause updates (P)',
	resumeHint: 'Resume updates (P)',
	theme: { auto: 'Automatic', light: 'Light', dark: 'Dark' },
	themeHint: (now: string) => `Theme: ${now}. Change the theme`,

	banner: {
		stale: (seconds: number) => `No message from the server for ${seconds} s. These are the last numbers received.`,
		offline: 'No connection to the server. These are the last numbers received; trying again.',
		paused: (waiting: number) =>
			waiting === 0 ? 'Paused. Nothing new yet.' : `Paused. ${n(waiting, 'update', 'updates')} waiting.`,
		retry: 'Try now',
		resume: 'Resume',
	},
	error: {
		title: 'The results cannot be loaded',
		choose: 'Which election?',
		network: 'The server does not answer. Is it running?',
		status: (code: number) => {
			if (code === 404) return 'The server knows no election yet (404). Start the count, and this page will follow.';
			if (code === 401 || code === 403) return `The server refuses this page the results (${code}).`;
			if (code === 429) return 'The server has too many readers just now (429).';
			if (code === 503)
				return 'The server has no results to show yet (503): nothing is counted, or its store cannot be read just now.';
			return `The server reports a fault (${code}).`;
		},
		malformed: 'The server answered with something that is not a result.',
		again: (seconds: number) =>
			seconds > 1 ? `It is tried again by itself in ${count(seconds)} s.` : 'It is tried again by itself.',
		retry: 'Try again now',
	},
	loading: 'Loading the results…',

	leader: {
		heading: 'Leader',
		leading: 'Leading',
		winner: 'Winner',
		tied: 'Tied',
		waiting: 'No votes yet',
		waitingLine: 'Polls are open; the first votes appear here as they are counted.',
		sole: 'Result',
		share: 'of the vote',
		votes: (votes: number) => n(votes, 'vote', 'votes'),
		margin: 'margin',
		pts: 'pts',
		marginPoints: (text: string) => `${text} pts`,
		counted: 'votes counted',
		ofExpected: (text: string) => `${text} of expected`,
		noExpected: 'no total expected',
		over: (more: number) => `${n(more, 'vote', 'votes')} more than expected, still counting`,
		complete: 'count complete',
		outstanding: (left: number, exact: boolean) =>
			exact ? `${short(left)} still to come` : `about ${short(left)} still expected (estimate)`,
		withheld: 'Withheld',
		notReleased: 'The desk has released no numbers yet.',
		withheldLine: 'Votes are being counted; the desk has not released them yet.',
		tieMargin: 'level',
		late: (votes: number) => `${n(votes, 'vote', 'votes')} after the close`,
		votesLeader: (name: string, gap: number) => `${name} leads the vote by ${count(gap)}`,
		tiedNames: list,
	},
	seatbar: {
		heading: (w: Words) => `Race for ${w.seats}`,
		toWin: (seats: number) => `${count(seats)} to win`,
		decided: 'decided',
		leading: 'leading',
		open: 'no leader yet',
		openOrWithheld: 'no leader yet, or withheld',
		part: (decided: number, leading: number) =>
			leading === 0 ? `${count(decided)} decided` : `${count(decided)} decided, ${count(leading)} leading`,
		label: (parts: string[], toWin: number) => `Seats: ${parts.join('; ')}. ${count(toWin)} win.`,
		candidate: (name: string, decided: number, leading: number) => `${name} ${decided} decided and ${leading} leading`,
		openLabel: (seats: number) => `${seats} without a leader`,
		shares: 'Shares of the vote',
		others: (many: number) => n(many, 'other', 'others'),
	},
	cards: {
		heading: 'Candidates',
		rank: (rank: number) => `Rank ${rank}`,
		votes: (votes: number) => n(votes, 'vote', 'votes'),
		behind: (gap: number) => `${count(gap)} behind`,
		ahead: (gap: number) => `${count(gap)} ahead`,
		level: 'level',
		more: (many: number) => `${n(many, 'more candidate', 'more candidates')}`,
		share: 'Share of the vote',
	},
	map: {
		heading: (w: Words) => `${capital(w.one)} by ${w.one}`,
		map: 'Map',
		tiles: 'Tiles',
		view: 'Map view',
		label: (w: Words) => `Map of the ${w.many}. Arrow keys move, Enter chooses, Escape closes.`,
		legendDecided: 'decided',
		legendLeading: 'leading',
		legendNone: 'no votes yet',
		region: (name: string, what: string) => `${name}: ${what}`,
		hint: (w: Words) => `Choose a ${w.one} for its numbers.`,
		leads: (name: string, by: string) => `${name} leads by ${by} points`,
		won: (name: string, by: string) => `${name}, decided, by ${by} points`,
		tied: 'tied',
		none: 'no votes yet',
		progress: (text: string) => `${text} counted`,
		tieShort: 'tie',
		alone: (w: Words) => `${capital(w.many)}`,
	},
	panel: {
		closest: (w: Words) => `Closest ${w.many}`,
		closestNote: 'smallest margin first, in points',
		none: (w: Words) => `No ${w.one} has votes yet.`,
		close: 'Close',
		unknown: (code: string, w: Words) => `There is no ${w.one} “${code}”.`,
		margin: 'Margin',
		counted: 'Counted',
		outstanding: 'Still expected',
		in: 'in',
		seats: (seats: number, w: Words) => `${count(seats)} ${w.seats}`,
		clear: 'Show the closest instead',
		final: 'Declared final by the desk',
		late: (votes: number) => `${n(votes, 'vote', 'votes')} came after that and are counted here too.`,
		estimate: 'estimate',
		over: 'Over what was expected',
		withheld: (name: string) => `${name} is on hold: the desk has taken its numbers out until it reopens them.`,
		unnamed: (code: string, w: Words) =>
			`There is no ${w.one} “${code}” to show. Some ${w.many} are withheld until the desk releases them.`,
	},
	table: {
		heading: (w: Words) => `All ${w.many}`,
		search: (w: Words) => `Search ${w.many}`,
		name: (w: Words) => capital(w.one),
		seats: (w: Words) => w.seatsShort,
		leader: 'Leader',
		margin: 'Margin',
		counted: 'Counted',
		votes: 'Votes',
		csv: 'Download CSV',
		csvName: (id: string, sequence: number) => `${id}-${sequence}.csv`,
		none: (q: string, w: Words) => `No ${w.one} matches “${q}”.`,
		clear: 'Clear the search',
		previous: 'Previous',
		next: 'Next',
		page: (page: number, pages: number, rows: number, w: Words) =>
			`Page ${page} of ${pages} · ${count(rows)} ${rows === 1 ? w.one : w.many}`,
		size: 'Rows a page',
		sort: (column: string) => `Sort by ${column}`,
		open: (name: string) => `Show ${name}`,
		final: 'final',
		finalHint: 'Declared final by the desk',
	},
	trend: {
		heading: 'Over time',
		view: 'What is drawn',
		lead: 'Lead',
		shares: 'Shares',
		seats: 'Seats',
		slider: 'Results at a past minute',
		none: 'The lines begin after the first minute with votes.',
		loading: 'Fetching the timeline…',
		changes: 'Changes of the lead',
		noChange: 'The lead has not changed hands yet.',
		everywhere: 'Overall',
		chart: (mode: string, points: number, ends: string[]) =>
			`${mode === 'lead' ? 'Lead in points' : mode === 'seats' ? 'Seats' : 'Shares of the vote'} over time, ${n(points, 'point', 'points')}. It stands at: ${ends.join(', ')}.`,
	},
	groups: {
		heading: 'Who voted how',
		note: (least: number) =>
			`As of their last release${least > 1 ? `; no group changes by fewer than ${count(least)} votes` : ''}.`,
		ageLabel: 'Age',
		genderLabel: 'Gender',
		all: 'All',
		allAges: 'All ages',
		allGenders: 'All',
		share: 'Share of the vote, %',
		age: (label: string) => (label.toLowerCase() === 'unknown' ? 'Unknown' : label.replace('-', '–')),
		gender: (label: string) =>
			({ male: 'Men', female: 'Women', other: 'Other', unknown: 'Unknown' })[label.toLowerCase()] ?? label,
		none: 'Nothing is released for this choice yet.',
		withheld: 'Groups of all together are not shown while a region is withheld; choose a region.',
		loading: 'Fetching who voted how…',
		failed: 'Who voted how cannot be had just now; it is asked for again.',
	},
	health: {
		heading: 'How the count is doing',
		paused: (why: string) => `Counting is paused: ${why}`,
		speed: 'Counting',
		perSecond: 'records a second',
		delay: 'From arrival to result',
		median: 'median',
		p99: (text: string) => `99 of 100 within ${text}`,
		unknown: 'not measured yet',
		backlog: 'Waiting to be counted',
		records: 'records',
		duplicate: 'Duplicates',
		rejected: 'Rejected',
		viewers: 'Pages watching',
	},
	method: {
		heading: 'How these numbers come about',
		simulated: 'This is a simulation: its votes are generated, not cast.',
		counted:
			'Each record is read from an append-only log, checked, and counted once for each voter; a second record of the same voter is a duplicate. Counting again from the log gives the same numbers.',
		states:
			'“Decided” means that the margin is larger than the votes that can still come, or that the desk has declared the result final; “leading” means that it is not. There are no forecasts here.',
		seatsUs: 'Electoral votes are shown statewide, winner take all; Maine and Nebraska really split theirs.',
		seats: (w: Words) => `The first in a ${w.one} takes all of its ${w.seats}.`,
		toWin: (seats: number, total: number) => `${count(seats)} of ${count(total)} win.`,
		late: (votes: number) => `${n(votes, 'vote', 'votes')} came after the result was declared final.`,
		verify: 'Check it yourself',
		verifyHow:
			'Whoever has the log can count it again; the recount names the same digest, or says where it differs. Put your own log and store in place of these:',
		command: (election: string | null) =>
			`votestream recount --log dir:votestream-data/log --store sqlite:votestream-data/results.db${election ? ` --election ${election}` : ''}`,
		digest: 'Ledger digest',
		covers: 'It covers',
		records: (records: number, leaves: number) =>
			`${n(records, 'record', 'records')} in ${n(leaves, 'leaf', 'leaves')}`,
		pending: (leaves: number) => `${n(leaves, 'leaf', 'leaves')} still to be hashed`,
		api: 'Results as JSON',
		csv: 'Results as CSV',
		timeline: 'Timeline',
		docs: 'All of the API',
	},
	/** A page that stands alone, without a server. */
	snapshot: {
		of: (time: string) => `of ${time}`,
		eyebrow: 'A snapshot',
		banner: (time: string) => `The results as they stood on ${time || 'an unknown day'}.`,
		note: 'This page is a file: it asks nobody, and its numbers do not change.',
	},
	past: {
		eyebrow: 'You are looking at the past',
		banner: (time: string) => `Results as of ${time}`,
		loading: (time: string) => `Fetching the results as of ${time}…`,
		failed: (time: string) => `The results as of ${time} cannot be had. These are the present ones.`,
		back: 'Back to live',
		title: (title: string) => `Past: ${title}`,
	},
	time: {
		now: 'Live',
		live: 'Live. Move the slider to see the whole page as it was at any past minute.',
		told: (time: string, lead: string, counted: string) =>
			`${time}${lead ? `: ${lead}` : ''}${counted ? `, ${counted} counted` : ''}`,
		lead: (name: string, by: string) => `${name} ${by} pts`,
		earlier: 'A minute earlier',
		later: 'A minute later',
		failed: 'The timeline cannot be had just now; it is asked for again.',
	},
	events: {
		kind: 'What happened',
		leadTab: 'Lead',
		deskTab: (many: number) => `Desk (${count(many)})`,
		leadNote: 'newest first; choose one to see the page as it was',
		desk: 'Acts of the desk',
		deskNote: 'newest first, by the clock on the wall, with the votes counted then',
		noAct: 'The desk had done nothing by then.',
		go: (time: string) => `See the results as of ${time}`,
		took: (name: string) => `${name} takes the lead`,
		whole: 'Whole election',
		action: (action: string) => ({ close: 'Final', hold: 'On hold', reopen: 'Reopened' })[action] ?? action,
		act: (action: string, region: string | null) =>
			`${region ?? 'Whole election'}: ${{ close: 'declared final', hold: 'put on hold', reopen: 'reopened' }[action] ?? action}`,
		at: (counted: string) => `${counted} counted`,
		notPublic: 'number not public',
	},
	withheld: {
		all: 'The desk is holding back all results until it reopens them.',
		held: (names: string[], w: Words) =>
			`On hold by the desk: ${list(names.slice(0, 12))}${names.length > 12 ? ` and ${n(names.length - 12, w.one, w.many)} more` : ''}.`,
		more: (many: number, also: boolean, known: boolean, w: Words) =>
			`${n(many, `${also ? 'more ' : ''}${w.one}`, `${also ? 'more ' : ''}${w.many}`)} ${many === 1 ? 'is' : 'are'} withheld${known ? ` until the desk closes ${many === 1 ? 'it' : 'them'}` : ''}.`,
		note: 'What is withheld is in no number on this page.',
		legend: 'withheld',
		tag: 'withheld',
	},
	trust: {
		records: 'Every record accounted for',
		counted: 'Counted as votes',
		duplicate: 'Duplicates: another record of the same voter',
		rejected: 'Rejected: no valid vote',
		read: 'Records read',
		reason: (code: string) => reasons[code] ?? capital(code.replaceAll('_', ' ')),
		expected: 'The number of votes expected is an estimate made beforehand; what is still to come may be more or less.',
		expectedExact: 'The number of votes expected is exact: it was known beforehand how many come.',
		minCell: (least: number) =>
			`Age and gender are published in releases: a group’s number changes only when ${count(least)} or more of its votes are new, so that nobody’s vote can be read from the difference. They may lag behind the count.`,
	},
	engine: {
		mood: { ok: 'in order:', warn: 'attention:', bad: 'trouble:' },
		summary: {
			well: 'Counting keeps up',
			done: 'All is counted',
			behind: 'Counting is behind',
			late: 'Results are late',
			paused: 'Counting is paused',
			rejects: 'Many records are rejected',
			elsewhere: 'Counted by another process',
		},
		asking: 'Asking…',
		silent: 'The server does not tell',
		elsewhere: 'Not known here: counting runs in another process, which keeps its speed to itself.',
		notHere: 'not known here',
		untold: 'Not told while a region is withheld: it would tell its votes.',
		nothingWaits: 'nothing waits',
		catchUp: (seconds: number) =>
			seconds < 1
				? 'done within a second'
				: seconds < 120
					? `done in about ${count(Math.ceil(seconds))} s`
					: `done in about ${count(Math.ceil(seconds / 60))} min`,
		commit: 'Last commit',
		noCommit: 'none yet',
		ago: (seconds: number) =>
			seconds < 2
				? 'just now'
				: seconds < 120
					? `${count(seconds)} s ago`
					: seconds < 7200
						? `${count(Math.floor(seconds / 60))} min ago`
						: seconds < 172_800
							? `${count(Math.floor(seconds / 3600))} h ago`
							: `${count(Math.floor(seconds / 86_400))} days ago`,
		snapshot: (sequence: number) => `snapshot ${count(sequence)}`,
		workers: 'Counting threads',
		ofRecords: (text: string) => `${text} of all records`,
		once: 'counted once only',
	},
	copy: { done: 'Copied', link: 'Copy link', command: 'Copy the command' },
	chooser: {
		title: 'Which election?',
		note: 'This server shows several.',
		label: 'Election',
		status: (status: string) =>
			({ waiting: 'No votes yet', counting: 'Counting', complete: 'Count complete' })[status] ?? status,
	},
	guard: {
		title: 'This part cannot be shown',
		text: 'Something in it is not as this page expects; the rest goes on.',
		again: 'Show it again',
	},
	footer: {
		sequence: (sequence: number) => `Snapshot ${count(sequence)}`,
		asOf: (text: string) => `as of ${text}`,
		records: (records: number, duplicate: number, rejected: number) =>
			`${n(records, 'record', 'records')} read: ${count(duplicate)} duplicate, ${count(rejected)} rejected`,
		simulated: 'Simulated data, not a real count.',
		keys: 'Keys: / search, P pause, ? help',
	},
	help: {
		title: 'Keys',
		close: 'Close',
		rows: [
			['/', 'search the table'],
			['P', 'pause and resume'],
			['Arrows', 'move on the map and on the slider'],
			['Enter', 'choose on the map'],
			['Esc', 'close what is chosen'],
			['?', 'this list'],
		],
	},
	announce: {
		lead: (name: string, text: string, progress: string) =>
			`${name} leads with ${text}; ${progress} of expected counted.`,
		leadPlain: (name: string, text: string) => `${name} leads with ${text} of the vote.`,
		tie: (names: string) => `Tied: ${names}.`,
		final: (name: string) => `The count is complete. ${name} is first.`,
		waiting: 'No votes yet.',
		seats: (held: number, total: number, text: string) => `${held} of ${total} seats and ${text} of the vote`,
		stale: 'The results are not live just now; the last numbers stay.',
		again: 'The results are live again.',
	},
	language: { switch: 'Language' },
	photo: (name: string) => `Photograph of ${name}`,
	embed: {
		whole: 'Full results',
		newTab: 'opens in a new tab',
		noRegions: 'This election has no regions: these are its candidates.',
		others: (many: number) => n(many, 'more candidate', 'more candidates'),
		inCount: (text: string) => `${text} counted`,
		asOf: (time: string) => `as of ${time}`,
		notLive: (time: string) => `Not live: last updated ${time}`,
		rows: (from: number, to: number, all: number) => `${from}–${to} of ${all}`,
		part: { map: 'Map', bar: 'Bar', table: 'Table', card: 'Card' },
		heading: 'Put this on your page',
		choose: 'Part',
		theme: 'Theme',
		width: 'Greatest width, px',
		code: 'Code for your page',
		overlay: 'Address for OBS, vMix or CasparCG',
		copy: 'Copy',
		copied: 'Copied.',
		selected: 'Selected: press Ctrl+C or ⌘C to copy.',
		allow: (flag: string) =>
			`Only pages that this server allows may show it: start it with ${flag}. The script is optional; it fits the height.`,
		overlayNote: 'A browser source without a background, in large type; size is the picture’s.',
		preview: 'Preview',
		title: (name: string, part: string) => `${name}: live results (${part.toLowerCase()})`,
	},
};

export type Strings = typeof en;
