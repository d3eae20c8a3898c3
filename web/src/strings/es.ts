// Every Spanish word on the page, as newsrooms write it: escrutado, ventaja, en cabeza, decidido.

import type { Strings, Words } from './en';
import { count, counted, list, short } from './format';

const plural = new Intl.PluralRules('es');
const n = (many: number, one: string, other: string) => counted(many, plural, one, other, `de ${other}`);

const US: Words = { one: 'estado', many: 'estados', seats: 'votos electorales', seatsShort: 'VE' };
const ANY: Words = { one: 'región', many: 'regiones', seats: 'escaños', seatsShort: 'escaños' };
const capital = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);
/** "Región" is feminine, "estado" is not. */
const by = (w: Words, masculine: string, feminine: string) => (w.one === ANY.one ? feminine : masculine);

/** Why a record is no vote, as the server calls it, in words. */
const reasons: Readonly<Record<string, string>> = {
	too_large: 'Más grande de lo permitido',
	malformed: 'Ilegible como registro',
	missing_id: 'Sin votante',
	invalid_id: 'Un identificador de votante imposible',
	unknown_region: 'Una región que no vota aquí',
	unknown_candidate: 'Una candidatura que no se presenta, o ninguna',
	invalid_age: 'Una edad imposible',
	under_age: 'Menor de edad para votar',
	invalid_gender: 'Un sexo que la elección no contempla',
	invalid_time: 'Una hora ilegible',
	outside_voting_hours: 'Fuera del horario de votación',
	misrouted: 'En la partición equivocada',
};

export const es: Strings = {
	words: (us: boolean): Words => (us ? US : ANY),
	capital,
	app: 'votestream',
	title: (name: string) => `${name}: resultados en directo`,
	skip: 'Ir a los resultados',
	simulated: 'Simulación',
	simulatedHint: 'Los votos son generados, no emitidos.',
	tag: { decided: 'Decidido', leading: 'En cabeza', tied: 'Empate', none: 'Sin votos aún', complete: 'Completo' },

	status: {
		loading: 'Cargando',
		waiting: 'En espera',
		live: 'En directo',
		stale: 'Sin actualizar',
		offline: 'Sin conexión',
		paused: 'En pausa',
		final: 'Completo',
		error: 'Error',
		past: 'Pasado',
		snapshot: 'Instantánea',
	},
	statusLabel: (s: string) => `Estado: ${s}`,
	updated: (seconds: number | null) => {
		if (seconds === null) return '';
		if (seconds < 2) return 'actualizado ahora';
		if (seconds < 60) return `actualizado hace ${seconds} s`;
		if (seconds < 3600) return `actualizado hace ${Math.floor(seconds / 60)} min`;
		return `actualizado hace ${Math.floor(seconds / 3600)} h`;
	},
	pause: 'Pausar',
	resume: 'Reanudar',
	pauseHint: 'Pausar la actualización (P)',
	resumeHint: 'Reanudar la actualización (P)',
	theme: { auto: 'Automático', light: 'Claro', dark: 'Oscuro' },
	themeHint: (now: string) => `Tema: ${now}. Cambiar de tema`,

	banner: {
		stale: (seconds: number) =>
			`El servidor no da señal desde hace ${seconds} s. Estas son las últimas cifras recibidas.`,
		offline: 'Sin conexión con el servidor. Estas son las últimas cifras recibidas; se sigue intentando.',
		paused: (waiting: number) =>
			waiting === 0
				? 'En pausa. Nada nuevo por ahora.'
				: `En pausa. ${n(waiting, 'actualización pendiente', 'actualizaciones pendientes')}.`,
		retry: 'Probar ahora',
		resume: 'Reanudar',
	},
	error: {
		title: 'No se pueden cargar los resultados',
		choose: '¿Qué elección?',
		network: 'El servidor no responde. ¿Está en marcha?',
		status: (code: number) => {
			if (code === 404)
				return 'El servidor aún no conoce ninguna elección (404). Inicie el escrutinio y esta página lo seguirá.';
			if (code === 401 || code === 403) return `El servidor niega los resultados a esta página (${code}).`;
			if (code === 429) return 'El servidor tiene demasiados lectores en este momento (429).';
			if (code === 503)
				return 'El servidor aún no tiene resultados que mostrar (503): nada está escrutado, o no puede leer sus datos ahora.';
			return `El servidor informa de un fallo (${code}).`;
		},
		malformed: 'El servidor ha respondido algo que no es un resultado.',
		again: (seconds: number) =>
			seconds > 1
				? `Se vuelve a intentar automáticamente en ${count(seconds)} s.`
				: 'Se vuelve a intentar automáticamente.',
		retry: 'Intentar de nuevo ahora',
	},
	loading: 'Cargando los resultados…',

	leader: {
		heading: 'En cabeza',
		leading: 'En cabeza',
		winner: 'Vence',
		tied: 'Empate',
		waiting: 'Sin votos aún',
		waitingLine: 'La votación está abierta; los primeros votos aparecerán aquí según se escruten.',
		sole: 'Resultado',
		share: 'de los votos',
		votes: (votes: number) => n(votes, 'voto', 'votos'),
		margin: 'de ventaja',
		pts: 'pts',
		marginPoints: (text: string) => `${text} pts`,
		counted: 'votos escrutados',
		ofExpected: (text: string) => `${text} de lo previsto`,
		noExpected: 'sin total previsto',
		over: (more: number) => `${n(more, 'voto', 'votos')} más de lo previsto, aún escrutando`,
		complete: 'escrutinio completo',
		outstanding: (left: number, exact: boolean) =>
			exact ? `faltan ${short(left)}` : `faltan unos ${short(left)} (estimación)`,
		withheld: 'Retenido',
		notReleased: 'La redacción aún no ha publicado ninguna cifra.',
		withheldLine: 'Se están escrutando votos; la redacción aún no los ha publicado.',
		tieMargin: 'igualados',
		late: (votes: number) => `${n(votes, 'voto', 'votos')} tras el cierre`,
		votesLeader: (name: string, gap: number) => `${name} va por delante en votos por ${count(gap)}`,
		tiedNames: list,
	},
	seatbar: {
		heading: (w: Words) => `Reparto de ${w.seats}`,
		toWin: (seats: number) => `${count(seats)} para ganar`,
		decided: 'decidido',
		leading: 'en cabeza',
		open: 'sin nadie en cabeza',
		openOrWithheld: 'sin nadie en cabeza o sin publicar',
		part: (decided: number, leading: number) =>
			leading === 0
				? n(decided, 'decidido', 'decididos')
				: `${n(decided, 'decidido', 'decididos')}, ${count(leading)} en cabeza`,
		label: (parts: string[], toWin: number) => `Reparto: ${parts.join('; ')}. Se gana con ${count(toWin)}.`,
		candidate: (name: string, decided: number, leading: number) =>
			`${name}, ${decided} decididos y ${leading} en cabeza`,
		openLabel: (seats: number) => `${seats} sin nadie en cabeza`,
		shares: 'Porcentajes de voto',
		others: (many: number) => n(many, 'más', 'más'),
	},
	cards: {
		heading: 'Candidaturas',
		rank: (rank: number) => `Puesto ${rank}`,
		votes: (votes: number) => n(votes, 'voto', 'votos'),
		behind: (gap: number) => `${count(gap)} menos`,
		ahead: (gap: number) => `${count(gap)} más`,
		level: 'igualados',
		more: (many: number) => n(many, 'candidatura más', 'candidaturas más'),
		share: 'Porcentaje de voto',
	},
	map: {
		heading: (w: Words) => `${capital(w.one)} por ${w.one}`,
		map: 'Mapa',
		tiles: 'Casillas',
		view: 'Vista del mapa',
		label: (w: Words) => `Mapa por ${w.many}. Las flechas mueven, Intro elige, Escape cierra.`,
		legendDecided: 'decidido',
		legendLeading: 'en cabeza',
		legendNone: 'sin votos aún',
		region: (name: string, what: string) => `${name}: ${what}`,
		hint: (w: Words) => `Elija ${by(w, 'un', 'una')} ${w.one} para ver sus cifras.`,
		leads: (name: string, margin: string) => `${name} en cabeza por ${margin} puntos`,
		won: (name: string, margin: string) => `${name}, decidido, por ${margin} puntos`,
		tied: 'empate',
		none: 'sin votos aún',
		progress: (text: string) => `${text} escrutado`,
		tieShort: 'emp.',
		alone: (w: Words) => `${capital(w.many)}`,
	},
	panel: {
		closest: (w: Words) => `${capital(w.many)} más ${by(w, 'reñidos', 'reñidas')}`,
		closestNote: 'primero la menor ventaja, en puntos',
		none: (w: Words) => `${by(w, 'Ningún', 'Ninguna')} ${w.one} tiene votos aún.`,
		close: 'Cerrar',
		unknown: (code: string, w: Words) => `No hay ${by(w, 'ningún', 'ninguna')} ${w.one} «${code}».`,
		margin: 'Ventaja',
		counted: 'Escrutados',
		outstanding: 'Por llegar',
		in: 'escr.',
		seats: (seats: number, w: Words) =>
			w.one === US.one ? n(seats, 'voto electoral', 'votos electorales') : n(seats, 'escaño', 'escaños'),
		clear: 'Mostrar en su lugar lo más reñido',
		final: 'Declarado definitivo por la redacción',
		late: (votes: number) => `${n(votes, 'voto llegó', 'votos llegaron')} después y también se cuentan aquí.`,
		estimate: 'estimación',
		over: 'Por encima de lo previsto',
		withheld: (name: string) => `${name} está en suspenso: la redacción ha retirado sus cifras hasta reabrirlas.`,
		unnamed: (code: string, w: Words) =>
			`No hay ${by(w, 'ningún', 'ninguna')} ${w.one} «${code}» que mostrar. La redacción retiene ${by(w, 'algunos', 'algunas')} ${w.many} hasta publicar sus cifras.`,
	},
	table: {
		heading: (w: Words) => `${by(w, 'Todos los', 'Todas las')} ${w.many}`,
		search: (w: Words) => `Buscar ${w.many}`,
		name: (w: Words) => capital(w.one),
		seats: (w: Words) => w.seatsShort,
		leader: 'En cabeza',
		margin: 'Ventaja',
		counted: 'Escrutado',
		votes: 'Votos',
		csv: 'Descargar CSV',
		csvName: (id: string, sequence: number) => `${id}-${sequence}.csv`,
		none: (q: string, w: Words) => `${by(w, 'Ningún', 'Ninguna')} ${w.one} coincide con «${q}».`,
		clear: 'Borrar la búsqueda',
		previous: 'Anterior',
		next: 'Siguiente',
		page: (page: number, pages: number, rows: number, w: Words) =>
			`Página ${page} de ${pages} · ${count(rows)} ${rows === 1 ? w.one : w.many}`,
		size: 'Filas por página',
		sort: (column: string) => `Ordenar por ${column}`,
		open: (name: string) => `Mostrar ${name}`,
		final: 'definitivo',
		finalHint: 'Declarado definitivo por la redacción',
	},
	trend: {
		heading: 'Evolución',
		view: 'Qué se dibuja',
		lead: 'Ventaja',
		shares: 'Porcentajes',
		seats: 'Reparto',
		slider: 'Resultados en un minuto pasado',
		none: 'Las líneas empiezan tras el primer minuto con votos.',
		loading: 'Buscando la evolución…',
		changes: 'Cambios en cabeza',
		noChange: 'Nadie ha perdido aún la cabeza.',
		everywhere: 'En total',
		chart: (mode: string, points: number, ends: string[]) =>
			`${mode === 'lead' ? 'Ventaja en puntos' : mode === 'seats' ? 'Reparto' : 'Porcentajes de voto'} a lo largo del tiempo, ${n(points, 'punto', 'puntos')}. Ahora: ${ends.join(', ')}.`,
	},
	groups: {
		heading: 'Quién votó qué',
		note: (least: number) =>
			`Según lo último publicado${least > 1 ? `; ningún grupo cambia en menos de ${n(least, 'voto', 'votos')}` : ''}.`,
		ageLabel: 'Edad',
		genderLabel: 'Sexo',
		all: 'Todo',
		allAges: 'Toda edad',
		allGenders: 'Todos',
		share: 'Porcentaje de voto',
		age: (label: string) => (label.toLowerCase() === 'unknown' ? 'No consta' : label.replace('-', '–')),
		gender: (label: string) =>
			({ male: 'Hombres', female: 'Mujeres', other: 'Otro', unknown: 'No consta' })[label.toLowerCase()] ?? label,
		none: 'Aún no hay nada publicado para esta selección.',
		withheld: 'Los grupos del total no se muestran mientras se retenga alguna región; elija una.',
		loading: 'Buscando quién votó qué…',
		failed: 'No se puede saber ahora quién votó qué; se vuelve a pedir.',
	},
	health: {
		heading: 'Cómo va el escrutinio',
		paused: (why: string) => `El escrutinio está detenido: ${why}`,
		speed: 'Ritmo',
		perSecond: 'registros por segundo',
		delay: 'De la llegada al resultado',
		median: 'mediana',
		p99: (text: string) => `99 de cada 100 en ${text}`,
		unknown: 'sin medir aún',
		backlog: 'Pendientes de escrutar',
		records: 'registros',
		duplicate: 'Duplicados',
		rejected: 'Rechazados',
		viewers: 'Páginas abiertas',
	},
	method: {
		heading: 'De dónde salen estas cifras',
		simulated: 'Esto es una simulación: los votos son generados, no emitidos.',
		counted:
			'Cada registro se lee de una bitácora a la que solo se añade, se comprueba y se cuenta una vez por votante; un segundo registro del mismo votante es un duplicado. Contar de nuevo da las mismas cifras.',
		states:
			'«Decidido» significa que la ventaja supera los votos que aún pueden llegar, o que la redacción ha declarado definitivo el resultado; «en cabeza», que aún está sin confirmar. Aquí no hay proyecciones.',
		seatsUs:
			'Los votos electorales se muestran por estado, todos para quien gana; Maine y Nebraska en realidad reparten los suyos.',
		seats: (w: Words) => `Quien gana en ${by(w, 'un', 'una')} ${w.one} se lleva todos sus ${w.seats}.`,
		toWin: (seats: number, total: number) => `Se gana con ${count(seats)} de ${count(total)}.`,
		late: (votes: number) =>
			`${n(votes, 'voto llegó', 'votos llegaron')} después de declararse definitivo el resultado.`,
		verify: 'Compruébelo usted',
		verifyHow:
			'Quien tenga la bitácora puede contarla de nuevo; el recuento da la misma huella, o dice dónde difiere. Ponga su bitácora y su base en lugar de estas:',
		command: (election: string | null) =>
			`votestream recount --log dir:votestream-data/log --store sqlite:votestream-data/results.db${election ? ` --election ${election}` : ''}`,
		digest: 'Huella del libro mayor',
		covers: 'Abarca',
		records: (records: number, leaves: number) =>
			`${n(records, 'registro', 'registros')} en ${n(leaves, 'hoja', 'hojas')}`,
		pending: (leaves: number) => `${n(leaves, 'hoja', 'hojas')} por resumir todavía`,
		api: 'Resultados en JSON',
		csv: 'Resultados en CSV',
		timeline: 'Evolución',
		docs: 'Toda la API',
	},
	snapshot: {
		of: (time: string) => `del ${time}`,
		eyebrow: 'Una instantánea',
		banner: (time: string) => `Los resultados tal como estaban el ${time || 'día desconocido'}.`,
		note: 'Esta página es un archivo: no consulta a nadie y sus cifras no cambian.',
	},
	past: {
		eyebrow: 'Está viendo el pasado',
		banner: (time: string) => `Resultados a fecha de ${time}`,
		loading: (time: string) => `Buscando los resultados a fecha de ${time}…`,
		failed: (time: string) => `No hay resultados a fecha de ${time}. Estos son los actuales.`,
		back: 'Volver al directo',
		title: (title: string) => `Pasado: ${title}`,
	},
	time: {
		now: 'Ahora',
		live: 'En directo. Mueva el control para ver la página entera tal como era en cualquier minuto pasado.',
		told: (time: string, lead: string, total: string) =>
			`${time}${lead ? `: ${lead}` : ''}${total ? `, ${total} escrutados` : ''}`,
		lead: (name: string, margin: string) => `${name} ${margin} pts`,
		earlier: 'Un minuto antes',
		later: 'Un minuto después',
		failed: 'No se puede obtener ahora la evolución; se vuelve a pedir.',
	},
	events: {
		kind: 'Qué ha pasado',
		leadTab: 'Cabeza',
		deskTab: (many: number) => `Redacción ${count(many)}`,
		leadNote: 'primero lo más reciente; elija uno para ver la página tal como era',
		desk: 'Actos de la redacción',
		deskNote: 'primero lo más reciente, según el reloj de pared, con los votos escrutados entonces',
		noAct: 'La redacción no había hecho nada hasta entonces.',
		go: (time: string) => `Ver los resultados a fecha de ${time}`,
		took: (name: string) => `${name} se pone en cabeza`,
		whole: 'Toda la elección',
		action: (action: string) => ({ close: 'Definitivo', hold: 'En suspenso', reopen: 'Reabierto' })[action] ?? action,
		act: (action: string, region: string | null) =>
			`${region ?? 'Toda la elección'}: ${{ close: 'resultado definitivo', hold: 'en suspenso', reopen: 'de nuevo abierto' }[action] ?? action}`,
		at: (total: string) => `${total} escrutados`,
		notPublic: 'cifra no pública',
	},
	withheld: {
		all: 'La redacción retiene todos los resultados hasta que los reabra.',
		held: (names: string[], w: Words) =>
			`En suspenso por la redacción: ${list(names.slice(0, 12))}${names.length > 12 ? ` y ${n(names.length - 12, w.one, w.many)} más` : ''}.`,
		more: (many: number, also: boolean, known: boolean, w: Words) =>
			`${n(many, `${w.one} ${also ? 'más ' : ''}${by(w, 'retenido', 'retenida')}`, `${w.many} ${also ? 'más ' : ''}${by(w, 'retenidos', 'retenidas')}`)}${known ? ' hasta que la redacción declare definitivo el resultado' : ''}.`,
		note: 'Lo retenido no está en ninguna cifra de esta página.',
		legend: 'retenido',
		tag: 'retenido',
	},
	trust: {
		records: 'Cada registro, justificado',
		counted: 'Contados como votos',
		duplicate: 'Duplicados: otro registro del mismo votante',
		rejected: 'Rechazados: no son votos válidos',
		read: 'Registros leídos',
		reason: (code: string) => reasons[code] ?? capital(code.replaceAll('_', ' ')),
		expected: 'Los votos previstos son una estimación hecha de antemano; los que faltan pueden ser más o menos.',
		expectedExact: 'Los votos previstos son un total exacto: se sabía de antemano cuántos llegan.',
		minCell: (least: number) =>
			`La edad y el sexo se publican por tandas: la cifra de un grupo solo cambia cuando ${n(least, 'voto suyo es nuevo', 'votos suyos o más son nuevos')}, para que de la diferencia no se deduzca el voto de nadie. Pueden ir por detrás del escrutinio.`,
	},
	engine: {
		mood: { ok: 'en orden:', warn: 'atención:', bad: 'problema:' },
		summary: {
			well: 'El escrutinio va al día',
			done: 'Todo está escrutado',
			behind: 'El escrutinio va con retraso',
			late: 'Los resultados llegan tarde',
			paused: 'El escrutinio está detenido',
			rejects: 'Se rechazan muchos registros',
			elsewhere: 'Escruta otro proceso',
		},
		asking: 'Preguntando…',
		silent: 'El servidor no lo dice',
		elsewhere: 'No se sabe aquí: escruta otro proceso, que no comunica su ritmo.',
		notHere: 'no se sabe aquí',
		untold: 'No se dice mientras una región esté retenida: revelaría sus votos.',
		nothingWaits: 'nada pendiente',
		catchUp: (seconds: number) =>
			seconds < 1
				? 'listo en menos de un segundo'
				: seconds < 120
					? `listo en unos ${count(Math.ceil(seconds))} s`
					: `listo en unos ${count(Math.ceil(seconds / 60))} min`,
		commit: 'Último guardado',
		noCommit: 'ninguno aún',
		ago: (seconds: number) =>
			seconds < 2
				? 'ahora mismo'
				: seconds < 120
					? `hace ${count(seconds)} s`
					: seconds < 7200
						? `hace ${count(Math.floor(seconds / 60))} min`
						: seconds < 172_800
							? `hace ${count(Math.floor(seconds / 3600))} h`
							: `hace ${count(Math.floor(seconds / 86_400))} días`,
		snapshot: (sequence: number) => `versión ${count(sequence)}`,
		workers: 'Hilos de escrutinio',
		ofRecords: (text: string) => `${text} de todos los registros`,
		once: 'contados una sola vez',
	},
	copy: { done: 'Copiado', link: 'Copiar enlace', command: 'Copiar la orden' },
	chooser: {
		title: '¿Qué elección?',
		note: 'Este servidor muestra varias.',
		label: 'Elección',
		status: (status: string) =>
			({ waiting: 'Sin votos aún', counting: 'Escrutando', complete: 'Escrutinio completo' })[status] ?? status,
	},
	guard: {
		title: 'Esta parte no se puede mostrar',
		text: 'Algo en ella no es como esta página espera; lo demás sigue.',
		again: 'Mostrarla de nuevo',
	},
	footer: {
		sequence: (sequence: number) => `Versión ${count(sequence)}`,
		asOf: (text: string) => `a fecha de ${text}`,
		records: (records: number, duplicate: number, rejected: number) =>
			`${n(records, 'registro leído', 'registros leídos')}: ${n(duplicate, 'duplicado', 'duplicados')}, ${n(rejected, 'rechazado', 'rechazados')}`,
		simulated: 'Datos simulados, no un escrutinio real.',
		keys: 'Teclas: / buscar, P pausa, ? ayuda',
	},
	help: {
		title: 'Teclas',
		close: 'Cerrar',
		rows: [
			['/', 'buscar en la tabla'],
			['P', 'pausar y reanudar'],
			['Flechas', 'moverse por el mapa y el control de tiempo'],
			['Intro', 'elegir en el mapa'],
			['Esc', 'cerrar lo elegido'],
			['?', 'esta lista'],
		],
	},
	announce: {
		lead: (name: string, text: string, progress: string) => `${name} va en cabeza con ${text}; ${progress} escrutado.`,
		leadPlain: (name: string, text: string) => `${name} va en cabeza con ${text} de los votos.`,
		tie: (names: string) => `Empate: ${names}.`,
		final: (name: string) => `El escrutinio ha terminado. ${name} queda en primer lugar.`,
		waiting: 'Sin votos aún.',
		stale: 'Los resultados no están en directo ahora; quedan las últimas cifras.',
		again: 'Los resultados están de nuevo en directo.',
		seats: (held: number, total: number, text: string) => `${held} de ${total} y ${text} de los votos`,
	},
	language: { switch: 'Idioma' },
	photo: (name: string) => `Retrato de ${name}`,
	embed: {
		whole: 'Todos los resultados',
		newTab: 'se abre en otra pestaña',
		noRegions: 'Esta elección no tiene regiones: estas son sus candidaturas.',
		others: (many: number) => n(many, 'candidatura más', 'candidaturas más'),
		inCount: (text: string) => `${text} escrutado`,
		asOf: (time: string) => `a las ${time}`,
		notLive: (time: string) => `No es en directo: última actualización, ${time}`,
		rows: (from: number, to: number, all: number) => `${from}–${to} de ${all}`,
		part: { map: 'Mapa', bar: 'Barra', table: 'Tabla', card: 'Ficha' },
		heading: 'Ponga esto en su página',
		choose: 'Parte',
		theme: 'Tema',
		width: 'Ancho máximo, px',
		code: 'Código para su página',
		overlay: 'Dirección para OBS, vMix o CasparCG',
		copy: 'Copiar',
		copied: 'Copiado.',
		selected: 'Seleccionado: pulse Ctrl+C o ⌘C para copiar.',
		allow: (flag: string) =>
			`Solo pueden mostrarlo las páginas que este servidor permite: inícielo con ${flag}. El script es opcional; ajusta la altura.`,
		overlayNote: 'Una fuente de navegador sin fondo, con letra grande; size es el tamaño de la imagen.',
		preview: 'Vista previa',
		title: (name: string, part: string) => `${name}: resultados en directo (${part.toLowerCase()})`,
	},
};
