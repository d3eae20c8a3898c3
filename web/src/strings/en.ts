// Every English word on the page. A second language is a second file of this shape.

import { count, share } from './format';

const plural = new Intl.PluralRules('en-US');
const n = (many: number, one: string, other: string) => `${count(many)} ${plural.select(many) === 'one' ? one : other}`;

export interface Words {
	one: string;
	many: string;
	seats: string;
	seatsShort: string;
}
/** What the parts of the electorate are called: states with electoral votes, or regions with seats. */
const US: Words = { one: 'state', many: 'states', seats: 'electoral votes', seatsShort: 'EV' };
const ANY: Words = { one: 'region', many: 'regions', seats: 'seats', seatsShort: 'seats' };
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
		again: 'It is tried again by itself.',
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
		over: (more: number) => `${n(more, 'vote', 'votes')} more than expected`,
		complete: 'count complete',
		outstanding: (left: number) => `about ${count(left)} to come`,
		votesLeader: (name: string, gap: number) => `${name} leads the vote by ${count(gap)}`,
		tiedNames: (names: string[]) => new Intl.ListFormat('en-US').format(names),
	},
	seatbar: {
		toWin: (seats: number) => `${count(seats)} to win`,
		decided: 'decided',
		leading: 'leading',
		open: 'no leader yet',
		part: (decided: number, leading: number) =>
			leading === 0 ? `${count(decided)} decided` : `${count(decided)} decided, ${count(leading)} leading`,
		label: (parts: string[], toWin: number) => `Seats: ${parts.join('; ')}. ${count(toWin)} win.`,
		candidate: (name: string, decided: number, leading: number) => `${name} ${decided} decided and ${leading} leading`,
		openLabel: (seats: number) => `${seats} without a leader`,
		shares: 'Shares of the vote',
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
	},
	trend: {
		heading: 'Over time',
		view: 'What is drawn',
		lead: 'Lead',
		shares: 'Shares',
		seats: 'Seats',
		slider: 'Results at a past minute',
		now: 'Now',
		none: 'The lines begin after the first minute with votes.',
		changes: 'Changes of the lead',
		changesNote: 'newest first, with the lead in votes',
		noChange: 'The lead has not changed hands yet.',
		everywhere: 'Overall',
		chart: (mode: string, points: number, ends: string[]) =>
			`${mode === 'lead' ? 'Lead in points' : mode === 'seats' ? 'Seats' : 'Shares of the vote'} over time, ${n(points, 'point', 'points')}. Now: ${ends.join(', ')}.`,
	},
	groups: {
		heading: 'Who voted how',
		note: (least: number) =>
			`By age and gender, as last released${least > 1 ? `; no group changes by fewer than ${count(least)} votes` : ''}.`,
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
		reasons: 'Why records were rejected',
		reason: (code: string) => capital(code.replaceAll('_', ' ')),
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
		withheld: (many: number, w: Words) =>
			`${n(many, w.one, w.many)} withheld until the desk releases them: they are in no number here.`,
		late: (votes: number) => `${n(votes, 'vote', 'votes')} came after the result was declared final.`,
		verify: 'Check it yourself',
		verifyHow: 'Whoever has the log can count it again and compare the digest:',
		command: 'votestream recount --log dir:votestream-data/log --store sqlite:votestream-data/results.db',
		digest: 'Ledger digest',
		covers: 'It covers',
		records: (records: number, leaves: number) =>
			`${n(records, 'record', 'records')} in ${n(leaves, 'leaf', 'leaves')}`,
		api: 'Results as JSON',
		csv: 'Results as CSV',
		timeline: 'Timeline',
		docs: 'All of the API',
		sum: (counted: string) => `${counted} counted.`,
	},
	past: {
		banner: (time: string) => `This is the past: results as of ${time}.`,
		loading: (time: string) => `Fetching the results as of ${time}…`,
		failed: (time: string) => `The results as of ${time} cannot be had. These are the present ones.`,
		back: 'Back to now',
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
			['Arrows', 'move on the map'],
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
	},
	shareText: share,
};

export type Strings = typeof en;
