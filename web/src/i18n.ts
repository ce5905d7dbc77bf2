/** What the page says, in English and French. */

const words = {
  skip: ["Skip to the map", "Aller à la carte"],
  fold: ["Show or hide the panel", "Afficher ou masquer le panneau"],
  language: ["Passer en français", "Switch to English"],
  theme: ["Dark or light colours", "Couleurs sombres ou claires"],
  share: ["Copy a link to this view", "Copier un lien vers cette vue"],
  copied: ["The link is in the clipboard", "Le lien est dans le presse-papiers"],
  help: ["Help and keys", "Aide et touches"],
  layers: ["Layers", "Couches"],
  colour: ["Colour of points", "Couleur des points"],
  field: ["Field", "Champ"],
  palette: ["Scale", "Échelle"],
  range: ["From – to", "De – à"],
  low: ["Lower end of the scale", "Borne basse de l’échelle"],
  high: ["Upper end of the scale", "Borne haute de l’échelle"],
  film: ["Time of the displacements", "Période des déplacements"],
  "film-play": ["Play", "Lire"],
  "film-stop": ["Stop", "Arrêter"],
  "film-from": ["From the month", "Du mois"],
  "film-to": ["To the month", "Au mois"],
  "film-note": ["Means of months: the later less the earlier", "Moyennes mensuelles : la fin moins le début"],
  "film-pale": ["Grey: too many points to draw; zoom in", "Gris : trop de points à dessiner ; zoomez"],
  filter: ["In view", "À l’écran"],
  "by-field": ["Filter by", "Filtrer par"],
  least: ["Least value shown", "Valeur minimale affichée"],
  largest: ["Largest value shown", "Valeur maximale affichée"],
  size: ["Size, opacity", "Taille, opacité"],
  "size-long": ["Size of points", "Taille des points"],
  opacity: ["Opacity of points", "Opacité des points"],
  sought: ["Coordinates or a name", "Coordonnées ou nom"],
  "not-found": ["Nothing of that name is shown; coordinates are latitude, longitude", "Rien d’affiché ne porte ce nom ; coordonnées : latitude, longitude"],
  "more-found": ["more; write more of the name", "de plus ; précisez le nom"],
  reset: ["Show all", "Tout afficher"],
  tools: ["Tools", "Outils"],
  area: ["Area", "Zone"],
  profile: ["Profile", "Profil"],
  compare: ["Compare", "Comparer"],
  swipe: ["Before / after", "Avant / après"],
  tilt: ["3-D", "3-D"],
  heights: ["Heights", "Altitudes"],
  "heights-above": ["above", "au-dessus de"],
  map: ["Map. Arrow keys move it, plus and minus zoom, Enter asks the point in the middle.", "Carte. Les flèches la déplacent, plus et moins zooment, Entrée interroge le point du milieu."],
  "zoom-in": ["Zoom in", "Zoomer"],
  "zoom-out": ["Zoom out", "Dézoomer"],
  "zoom-to": ["Zoom to the layer", "Zoomer sur la couche"],
  licences: ["licences", "licences"],
  histogram: ["Counts of values; heights go with the square root.", "Effectifs des valeurs ; hauteurs selon la racine carrée."],
  "no-layer": ["Show a layer of points first", "Affichez d’abord une couche de points"],
  "nothing": ["There is nothing to show: no layer has data.", "Rien à afficher : aucune couche ne contient de données."],
  "no-value": ["No value here", "Pas de valeur ici"],
  "asking": ["Asking …", "Recherche …"],
  "take-values": ["Values (CSV)", "Valeurs (CSV)"],
  "take-mean": ["Mean series (CSV)", "Série moyenne (CSV)"],
  "take-picture": ["Chart (PNG)", "Graphique (PNG)"],
  done: ["Done", "Terminer"],
  cancel: ["Cancel", "Annuler"],
  divider: ["Divider between the image before and the image after", "Séparation entre l’image avant et l’image après"],
  close: ["Close", "Fermer"],
  points: ["points", "points"],
  ascending: ["ascending", "ascendante"],
  descending: ["descending", "descendante"],
  track: ["track", "trace"],
  LOS: ["line of sight", "ligne de visée"],
  U: ["vertical", "vertical"],
  E: ["east–west", "est–ouest"],
  L2a: ["Basic", "Basic"],
  L2b: ["Calibrated", "Calibrated"],
  L3: ["Ortho", "Ortho"],
  "sign-LOS": ["away from satellite|toward satellite", "s’éloigne du satellite|s’approche du satellite"],
  "sign-U": ["down|up", "vers le bas|vers le haut"],
  "sign-E": ["west|east", "vers l’ouest|vers l’est"],
  "sign-east": ["west|east", "vers l’ouest|vers l’est"],
  "sign-north": ["south|north", "vers le sud|vers le nord"],
  "sign-up": ["down|up", "vers le bas|vers le haut"],
  east: ["Displacement to the east", "Déplacement vers l’est"],
  north: ["Displacement to the north", "Déplacement vers le nord"],
  up: ["Displacement upward", "Déplacement vers le haut"],
  magnitude: ["Length of the displacement", "Norme du déplacement"],
  "map-kind": ["displacement map", "carte de déplacement"],
  "image-kind": ["image", "image"],
  "relief-kind": ["relief", "relief"],
  "relief-opacity": ["Opacity of the relief", "Opacité du relief"],
  "feature-kind": ["feature", "objet"],
  "features-kind": ["features", "objets"],
  "stations-kind": ["GNSS stations", "stations GNSS"],
  "draw-area": ["Click the corners, or press Space for the middle of the map. Enter or a double click ends, Esc cancels.", "Cliquez les sommets, ou Espace pour le milieu de la carte. Entrée ou un double clic termine, Échap annule."],
  "draw-line": ["Click along the line, or press Space for the middle of the map. Enter or a double click ends, Esc cancels.", "Cliquez le long de la ligne, ou Espace pour le milieu de la carte. Entrée ou un double clic termine, Échap annule."],
  comparing: ["Click points to compare them; a click on one more adds it.", "Cliquez des points pour les comparer ; chaque clic en ajoute un."],
  "no-point": ["No point here", "Pas de point ici"],
  "no-points": ["No points inside", "Aucun point à l’intérieur"],
  displacement: ["Displacement, mm", "Déplacement, mm"],
  arrows: ["horizontal motion", "mouvement horizontal"],
  levels: ["Level of assets", "Niveau des ouvrages"],
  "level-alert": ["alert", "alerte"],
  "level-watch": ["watch", "surveillance"],
  "level-notice": ["notice", "remarque"],
  "level-none": ["none", "aucun"],
  "level-not seen": ["not seen", "non vu"],
  verdicts: ["Spans and segments of assets", "Travées et tronçons des ouvrages"],
  spans: ["Spans and segments that move", "Travées et tronçons qui bougent"],
  span: ["span", "travée"],
  segment: ["segment", "tronçon"],
  "by-chance": ["Assets at rest that chance alone would list, about:", "Ouvrages immobiles que le hasard seul listerait, environ :"],
  more: ["more move", "autres bougent"],
  "none-moves": ["None is seen to move; click one on the map for its bound.", "Aucun mouvement vu ; cliquez-en un sur la carte pour sa borne."],
  on: ["On", "Sur"],
  by: ["by", "de"],
  "by-more-than": ["by more than", "de plus de"],
  yes: ["yes", "oui"],
  no: ["no", "non"],
  "one-in": ["1 in", "1 sur"],
  "one-in-million": ["less than 1 in a million", "moins de 1 sur un million"],
  "verdict-settles": ["settles", "s’enfonce"],
  "verdict-rises": ["rises", "se soulève"],
  "verdict-moves away": ["moves away from the satellite", "s’éloigne du satellite"],
  "verdict-moves toward": ["moves toward the satellite", "s’approche du satellite"],
  "verdict-moves west": ["moves west", "va vers l’ouest"],
  "verdict-moves east": ["moves east", "va vers l’est"],
  "verdict-does not move": ["does not move", "ne bouge pas"],
  "verdict-unclear": ["unclear", "incertain"],
  "verdict-too few points": ["too few points to say", "trop peu de points"],
  "verdict-note": ["Against the ground within 5 km; ± is one standard deviation. “Does not move by more than” holds with 95 %.", "Par rapport au sol dans un rayon de 5 km ; ± est un écart type. « Ne bouge pas de plus de » vaut à 95 %."],
  "p-id": ["Identity", "Identifiant"],
  "p-kind": ["Kind", "Genre"],
  "kind-bridge": ["bridge", "pont"],
  "kind-railway": ["railway", "voie ferrée"],
  "kind-road": ["road", "route"],
  "kind-building": ["building", "bâtiment"],
  "kind-dam": ["dam", "barrage"],
  "kind-other": ["other", "autre"],
  "p-level": ["Level of alert", "Niveau d’alerte"],
  "p-rank": ["Rank", "Rang"],
  "p-reasons": ["Because of", "En raison de"],
  "p-segment": ["Number along the asset", "Numéro le long de l’ouvrage"],
  "p-segments": ["Parts of the asset", "Parties de l’ouvrage"],
  "p-from": ["From the start", "Depuis le début"],
  "p-to": ["To", "Jusqu’à"],
  "p-along": ["Middle of its points", "Milieu de ses points"],
  "p-points": ["Points", "Points"],
  "p-length": ["Length", "Longueur"],
  "p-width": ["Width", "Largeur"],
  "p-motion": ["Motion against the ground around", "Mouvement par rapport au sol voisin"],
  "p-motion_bound": ["Moves by less than (95 %)", "Bouge de moins de (95 %)"],
  "p-motion_chance": ["Chance that noise does this", "Chance que le bruit fasse cela"],
  "p-chance": ["Chance that noise does this", "Chance que le bruit fasse cela"],
  "p-velocity": ["Velocity", "Vitesse"],
  "p-reference": ["Velocity of the ground around", "Vitesse du sol voisin"],
  "p-seasonality": ["Seasonal amplitude", "Amplitude saisonnière"],
  "p-acceleration": ["Acceleration", "Accélération"],
  "p-differential": ["Fastest less slowest part", "Partie la plus rapide moins la plus lente"],
  "p-distortion": ["Angular distortion", "Distorsion angulaire"],
  "p-change_kind": ["Change", "Changement"],
  "p-change_date": ["Date of the change", "Date du changement"],
  "p-change_size": ["Size of the change", "Taille du changement"],
  "p-change_chance": ["Chance of noise to look like the change", "Chance que le bruit imite le changement"],
  "p-mean_velocity": ["Mean velocity", "Vitesse moyenne"],
  "f-acceleration": ["Acceleration", "Accélération"],
  "f-seasonality": ["Seasonal amplitude", "Amplitude saisonnière"],
  "f-rmse": ["Residual (rmse)", "Résidu (rmse)"],
  "f-temporal_coherence": ["Temporal coherence", "Cohérence temporelle"],
  "f-amplitude_dispersion": ["Dispersion of the amplitude", "Dispersion de l’amplitude"],
  "f-height": ["Height above sea level", "Altitude"],
  "f-height_wgs84": ["Height above the ellipsoid", "Hauteur ellipsoïdale"],
  "f-latitude": ["Latitude", "Latitude"],
  "f-longitude": ["Longitude", "Longitude"],
  "f-easting": ["Easting", "Abscisse"],
  "f-northing": ["Northing", "Ordonnée"],
  "f-incidence_angle": ["Angle of the line of sight from the vertical", "Angle de la visée avec la verticale"],
  "f-track_angle": ["Heading of the satellite", "Cap du satellite"],
  "f-los_east": ["Line of sight, east part", "Ligne de visée, part est"],
  "f-los_north": ["Line of sight, north part", "Ligne de visée, part nord"],
  "f-los_up": ["Line of sight, up part", "Ligne de visée, part verticale"],
  "f-line": ["Line of the radar image", "Ligne de l’image radar"],
  "f-pixel": ["Pixel of the radar image", "Pixel de l’image radar"],
  "f-gnss_velocity": ["Velocity of the GNSS model", "Vitesse du modèle GNSS"],
  "f-calibration_std": ["Uncertainty of the calibration", "Incertitude de la calibration"],
  "f-absolute_velocity_std": ["Uncertainty of the absolute velocity", "Incertitude de la vitesse absolue"],
  "f-mp_type": ["Area it stands for", "Surface représentée"],
  single: ["a single place", "un seul lieu"],
  "period": ["Trend from", "Tendance du"],
  "period-to": ["to", "au"],
  "period-note": ["Trend: straight line, and a yearly season from a year on; ± is one standard deviation, too small by up to a third where errors last for months.", "Tendance : droite, et saison annuelle dès un an ; ± est un écart type, trop petit d’un tiers au plus si les erreurs durent des mois."],
  "period-all": ["Whole series", "Toute la série"],
  difference: ["A − B", "A − B"],
  "difference-of": ["Difference of", "Différence de"],
  moved: ["Displacement", "Déplacement"],
  mean: ["Mean", "Moyenne"],
  median: ["Median", "Médiane"],
  spread: ["Standard deviation", "Écart type"],
  middle: ["5 % to 95 %", "5 % à 95 %"],
  extremes: ["Least to largest", "Minimum à maximum"],
  count: ["Points", "Points"],
  download: ["Points:", "Points :"],
  "mean-series": ["Mean series of the area", "Série moyenne de la zone"],
  distribution: ["Distribution", "Distribution"],
  "series-near": ["Series of the points near it", "Série des points voisins"],
  along: ["Motion along", "Mouvement le long de"],
  "along-note": ["± one standard deviation; below 0: away, down or west", "± un écart type ; sous 0 : s’éloigne, descend ou va vers l’ouest"],
  "along-distance": ["Distance from the start, m", "Distance depuis le début, m"],
  distance: ["Distance from A, m", "Distance depuis A, m"],
  "no-webgl": ["This browser has no WebGL: the map is drawn as pictures by the server.", "Ce navigateur n’a pas WebGL : la carte est dessinée en images par le serveur."],
  "no-webgl-static": ["This browser has no WebGL: the map is drawn more plainly.", "Ce navigateur n’a pas WebGL : la carte est dessinée plus simplement."],
  "static-only": ["An exported map has no server: areas, profiles and downloads are not there.", "Une carte exportée n’a pas de serveur : zones, profils et téléchargements sont absents."],
  failed: ["The server did not answer as it should", "Le serveur n’a pas répondu comme prévu"],
  uncertain: ["The spread of velocities is not the uncertainty of their mean: neighbouring points share errors.", "La dispersion des vitesses n’est pas l’incertitude de leur moyenne : les points voisins partagent des erreurs."],
  "help-title": ["How to use the map", "Utiliser la carte"],
  "help-text": [
    "Click a point: its displacement series appears, with the model fitted to it (a cubic and a yearly season) and one standard deviation of the residuals. <b>Compare</b>, or Shift and a click, adds points. Drag in the chart, or set two dates, for the trend of that time. <b>Spans</b> of bridges and segments of lines are red where they move away or down, blue where they move the other way; click one, or one in the list, to see how sure that is. <b>Area</b> gives the statistics and the mean series inside an outline, and files to take away. <b>Profile</b> gives what lies along a line. <b>Colour</b> points by displacement between two months, and play the time between them. Where there are too many points to draw, dots are means of cells: zoom in for single points.|Arrow keys move the map|+ and − zoom|Enter: the point in the middle of the map|While drawing, Space: a corner in the middle of the map, Enter: the end|A, P, C, T: area, profile, compare, three dimensions|Shift and arrow keys, or the right mouse button, or two fingers: turn and tilt in three dimensions|Esc: cancel or close",
    "Cliquez un point : sa série de déplacement apparaît, avec le modèle ajusté (un polynôme cubique et une saison annuelle) et un écart type des résidus. <b>Comparer</b>, ou Maj et un clic, ajoute des points. Glissez dans le graphique, ou fixez deux dates, pour la tendance de cette période. Les <b>travées</b> des ponts et les tronçons des lignes sont rouges où ils s’éloignent ou s’enfoncent, bleus dans l’autre sens ; cliquez-en un, ou la liste, pour voir à quel point c’est sûr. <b>Zone</b> donne les statistiques et la série moyenne à l’intérieur d’un contour, et des fichiers à emporter. <b>Profil</b> donne ce qui se trouve le long d’une ligne. <b>Colorez</b> les points par leur déplacement entre deux mois, et faites défiler le temps. Où les points sont trop nombreux, les pastilles sont des moyennes de mailles : zoomez pour voir les points.|Les flèches déplacent la carte|+ et − zooment|Entrée : le point au milieu de la carte|Pendant un tracé, Espace : un sommet au milieu de la carte, Entrée : la fin|A, P, C, T : zone, profil, comparer, trois dimensions|Maj et flèches, bouton droit ou deux doigts : tourner et incliner en trois dimensions|Échap : annuler ou fermer",
  ],
} as const;

export type Word = keyof typeof words;
export type Language = "en" | "fr";

let language: Language = navigator.language.startsWith("fr") ? "fr" : "en";

export const current = (): Language => language;

export function t(word: Word): string {
  return words[word][language === "fr" ? 1 : 0];
}

/** A word that is only known at run time; itself if there is none. */
export function say(word: string): string {
  return word in words ? t(word as Word) : word;
}

export function setLanguage(wanted: Language): void {
  language = wanted;
  document.documentElement.lang = wanted;
  for (const element of document.querySelectorAll<HTMLElement>("[data-t]")) element.textContent = say(element.dataset.t!);
  for (const element of document.querySelectorAll<HTMLElement>("[data-l]")) {
    const text = say(element.dataset.l!);
    element.setAttribute("aria-label", text);
    if (element instanceof HTMLButtonElement) element.title = text;
    if (element instanceof HTMLInputElement && element.type === "search") element.placeholder = text;
  }
}

/** Numbers as the language writes them. */
export function number(value: number | null | undefined, digits = 1): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
  return text.replace("-", "−");
}

/** A month, counted since the year 0. */
export const month = (value: number): string => new Intl.DateTimeFormat(language, { year: "numeric", month: "short", timeZone: "UTC" }).format(Date.UTC(Math.floor(value / 12), value % 12, 15));

/** Numbers of an axis. */
export const plain = (value: number): string => new Intl.NumberFormat(language, { maximumFractionDigits: 6 }).format(value).replace("-", "−");

export const whole = (value: number): string => new Intl.NumberFormat(language).format(value);

/** Units as the language writes them. */
export const unit = (text: string): string => (language === "fr" ? text.replace("/yr", "/an") : text);
