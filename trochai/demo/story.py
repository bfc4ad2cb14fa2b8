"""The demo's people and what they have written, as data. Every moment is relative to loading.

Casa Verde is an estate agency near San José; none of its people and houses exist. The WhatsApp sandbox
treats ``SPECIAL`` numbers in its own way (trochai.whatsapp.sandbox.numbers). In texts ``{day+8}`` is the
name of the weekday eight days after loading.
"""

from __future__ import annotations

import datetime as dt

from conversations.models import Delivery
from followups.models import CancelCause, FailureKind
from trochai.demo.scenes import Agency, Conversation, FollowUp, Said, Try, ago, ahead, day, soon

DANIELA = "admin@demo.trochai.test"
ANDRES = "agent@demo.trochai.test"
VALERIA = "agent2@demo.trochai.test"
LUIS = "viewer@demo.trochai.test"

PEOPLE = {
    DANIELA: "Daniela Rojas",
    ANDRES: "Andrés Solano",
    VALERIA: "Valeria Castro",
    LUIS: "Luis Fernando Mora",
}

SPECIAL = {
    "rate limit at first": "+50600000429",
    "not on WhatsApp": "+50600001026",
    "replies": "+50600000001",
}

VISIT_NOTE = "Visita el {day+8} a las 10 con su esposo. Traen un perro pequeño."
LONG_NOTE = (
    "Don Álvaro firma en enero, cuando venda el apartamento de Curridabat. Prefiere que le escribamos "
    "y no que lo llamemos; su hija Mariela ve los números con él. Si para entonces no ha vendido, "
    "ofrecerle la extensión de la reserva por 30 días más con el mismo depósito."
)

CASA_VERDE = (
    Conversation(
        "Karen Whitfield",
        "+14155550134",
        (
            Said(day(-4, "10:20"), "Hi! I saw the house in Santa Ana online. Is it still available?"),
            Said(day(-4, "10:41"), "Good morning, Karen! It is. Would you like to visit it?", DANIELA),
            Said(day(-4, "11:02"), "Yes please. We are in San José all week."),
            Said(ago(54), "", file="voice"),
            Said(ago(52), "I can meet you there tomorrow at 10:00 AM. Does that work?", DANIELA),
            Said(ago(9), "That works great"),
            Said(ago(3), "Perfect, see you at the Santa Ana house"),
        ),
        (
            FollowUp(
                "visit_reminder_en",
                ("Karen", "the house in Santa Ana", "{day+1} at 10:00 AM"),
                soon(25),
                DANIELA,
                day(-4, "11:05"),
                note="Santa Ana house: the guard at the gate needs her passport number.",
            ),
        ),
        language="en",
        unread=2,
        status="in_progress",
        assignee=DANIELA,
        tags=("Buyer", "Visit booked"),
    ),
    Conversation(
        "María Jiménez",
        "+50688881234",
        (
            Said(day(-1, "9:21"), "Buenas, ¿es esta la casa que vimos el domingo?", file="photo"),
            Said(day(-1, "9:22"), "Agendar visita"),
            Said(
                day(-1, "9:23"), "¡Hola! Sí, todavía me interesa. ¿Podría ser el {day+8} de la otra semana?"
            ),
            Said(
                day(-1, "9:31"),
                "¡Buenos días, María! Claro que sí. ¿Le funciona el {day+8} a las 10:00 a. m.?",
                DANIELA,
            ),
            Said(ago(84), "Perfecto, el {day+8} a las 10 me queda bien."),
            Said(ago(80), "¿Puedo llevar a mi esposo y al perrito? 😊"),
            Said(
                ago(66),
                "Por supuesto, los esperamos a los tres. Nos vemos frente al parque de Alto de las Palomas.",
                DANIELA,
                Delivery.DELIVERED,
            ),
            Said(
                ago(63),
                "La dirección exacta: 200 metros al norte del parque, portón verde.",
                DANIELA,
                Delivery.FAILED,
                131056,
            ),
            Said(ago(62), "Le envío la ficha en un momento.", DANIELA, Delivery.SENT),
        ),
        (
            FollowUp(
                "visit_reminder",
                ("María", "Casa EC-204, Escazú", "{day+8} a las 10:00 am"),
                day(7, "9:00"),
                DANIELA,
                ago(64),
                note=VISIT_NOTE,
            ),
            FollowUp(
                "listing_followup",
                (),
                day(-1, "9:00"),
                DANIELA,
                day(-8, "15:10"),
                delivery=Delivery.READ,
            ),
        ),
        status="in_progress",
        assignee=DANIELA,
        tags=("Buyer", "From abroad", "Visit booked", "Reservation"),
    ),
    Conversation(
        "José Pablo Vargas",
        SPECIAL["rate limit at first"],
        (
            Said(day(-6, "14:12"), "Buenas, quisiera reservar la casa HE-118"),
            Said(day(-6, "14:30"), "Con gusto, José Pablo. La reserva es de ¢250.000 por 15 días.", ANDRES),
            Said(ago(72), "¿Aceptan SINPE para la reserva?"),
        ),
        (
            FollowUp(
                "payment_reminder",
                ("José Pablo", "la casa HE-118 en Heredia", "{day+2}", "HE-118"),
                soon(35),
                ANDRES,
                day(-6, "14:35"),
                note="Si paga hoy, cancelar el recordatorio de la próxima semana.",
            ),
        ),
        unread=1,
        assignee=ANDRES,
        tags=("Reservation",),
    ),
    Conversation(
        "Tom & Erika Becker",
        "+4915123456789",
        (
            Said(day(-3, "7:15"), "Hello, we are looking for a house near Tamarindo, three bedrooms"),
            Said(day(-3, "8:02"), "Welcome! I have two that may suit you. When will you be here?", VALERIA),
            Said(ago(95), "At the end of this week"),
            Said(ago(94), "We would stay for ten days"),
            Said(ago(93), "We have just landed in Liberia"),
        ),
        (
            FollowUp(
                "visit_reminder_en",
                ("Tom and Erika", "the house in Tamarindo", "{day+1} at 2:00 PM"),
                soon(80),
                VALERIA,
                day(-3, "8:10"),
                note="They come with their daughter, who speaks Spanish.",
            ),
            FollowUp(
                "new_listing",
                ("Tamarindo", "Tom", "three-bedroom house"),
                day(8, "10:00"),
                ANDRES,
                day(-2, "16:20"),
                note="Send the Tamarindo listing only if the price is confirmed by then.",
            ),
        ),
        language="en",
        unread=3,
        assignee=VALERIA,
        tags=("From abroad",),
    ),
    Conversation(
        "Sofía Campos",
        "+50660458812",
        (
            Said(day(-2, "11:40"), "Buenas, ¿tienen apartamentos de dos cuartos en Rohrmoser?"),
            Said(day(-2, "11:55"), "Sí, Sofía: el RO-031, con parqueo para dos carros. ¿Lo vemos?", DANIELA),
            Said(day(-2, "12:01"), "Sí, me encantaría"),
            Said(ago(104), "Muchas gracias, quedo atenta"),
        ),
        (
            FollowUp(
                "visit_reminder",
                ("Sofía", "el apartamento RO-031 en Rohrmoser", "{day+1} a las 4:00 pm"),
                ago(130),
                DANIELA,
                day(-6, "12:10"),
                note="Confirmar parqueo para dos carros.",
                delivery=Delivery.READ,
                unread=True,
            ),
            FollowUp(
                "payment_reminder",
                ("Sofía", "el apartamento RO-031 en Rohrmoser", "{day+11}", "RO-031"),
                day(9, "9:00"),
                VALERIA,
                ago(100),
            ),
        ),
        assignee=DANIELA,
    ),
    Conversation(
        "Adriana Fallas",
        SPECIAL["not on WhatsApp"],
        (
            Said(day(-12, "17:25"), "Hola, ¿cuánto piden por el lote de Grecia?"),
            Said(
                day(-12, "17:50"),
                "Buenas tardes, Adriana. ¢98 millones, negociables. ¿Gusta verlo?",
                DANIELA,
            ),
            Said(day(-12, "18:04"), "Lo converso con mi hermana y le aviso"),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                soon(50),
                DANIELA,
                day(-12, "18:10"),
                note="Quedó de conversarlo con la hermana.",
                cancel_on_reply=True,
            ),
        ),
        tags=("Rental",),
    ),
    Conversation(
        "Rodrigo Ureña",
        "+50683901177",
        (
            Said(day(-3, "9:05"), "Buenos días, confirmo la visita de la casa en Curridabat"),
            Said(day(-3, "9:12"), "Excelente, don Rodrigo. Le mandamos un recordatorio.", VALERIA),
        ),
        (
            FollowUp(
                "visit_reminder",
                ("Rodrigo", "la casa CU-077 en Curridabat", "{day+0} a las 9:00 am"),
                day(-1, "16:00"),
                VALERIA,
                day(-8, "9:20"),
                delivery=Delivery.DELIVERED,
                unread=True,
            ),
            FollowUp(
                "listing_followup",
                (),
                day(-15, "9:00"),
                VALERIA,
                day(-22, "10:00"),
                delivery=Delivery.FAILED,
                tries=(Try(day(-15, "9:02"), 131049),),
                failure=FailureKind.UNDELIVERED,
            ),
        ),
        assignee=VALERIA,
        tags=("Reservation", "Documents missing"),
    ),
    Conversation(
        "Gabriela Montero",
        "+50683017725",
        (
            Said(day(-8, "15:30"), "Ya hice la primera parte del depósito"),
            Said(day(-8, "15:42"), "Recibido, Gabriela, muchas gracias. Queda pendiente el segundo.", ANDRES),
        ),
        (
            FollowUp(
                "payment_reminder",
                ("Gabriela", "la casa HE-120 en Heredia", "{day+4}", "HE-120"),
                day(-1, "9:00"),
                ANDRES,
                day(-8, "15:45"),
                note="Segundo recordatorio de la reserva. Llamarla si no responde antes del {day+3}.",
                tries=(
                    Try(day(-1, "9:00"), 130429),
                    Try(day(-1, "9:05"), 130429),
                    Try(day(-1, "9:20"), 130429),
                    Try(day(-1, "10:20"), 130429),
                ),
                failure=FailureKind.TEMPORARY,
                unread=True,
            ),
        ),
        assignee=ANDRES,
        tags=("Seller",),
    ),
    Conversation(
        "Familia Quesada Mora",
        "+50670142290",
        (
            Said(day(-1, "13:15"), "Buenas, ¿qué medida tiene el lote de Grecia? En el anuncio no sale"),
            Said(day(-1, "13:40"), "Lo verifico con la dueña y le confirmo.", DANIELA),
            Said(day(-1, "17:58"), "Ya la encontramos: el lote en Grecia mide 1.200 m²"),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(5, "14:30"),
                DANIELA,
                day(-1, "13:45"),
                cancel_on_reply=True,
            ),
        ),
        unread=1,
    ),
    Conversation(
        "Silvia Arguedas",
        "+50689763310",
        (
            Said(day(-11, "10:10"), "Buenos días, busco casa con jardín en Santo Domingo"),
            Said(day(-11, "10:32"), "Le comparto tres opciones por correo, doña Silvia.", ANDRES),
            Said(day(-3, "16:44"), "Ya encontramos casa, ¡gracias por todo!"),
            Said(day(-3, "16:52"), "¡Qué alegría! Un gusto haberla atendido.", ANDRES),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(-2, "9:00"),
                ANDRES,
                day(-9, "11:00"),
                note="Ya encontró casa.",
                canceled=day(-3, "16:53"),
                canceled_by=ANDRES,
                cause=CancelCause.MEMBER,
            ),
            FollowUp(
                "visit_reminder",
                ("Silvia", "la casa SD-009 en Santo Domingo", "{day-8} a las 3:00 pm"),
                day(-9, "9:00"),
                ANDRES,
                day(-14, "17:00"),
                delivery=Delivery.READ,
            ),
        ),
        status="closed",
        assignee=ANDRES,
    ),
    Conversation(
        "Allan Zúñiga",
        "+50683224518",
        (
            Said(day(-9, "8:20"), "Me interesa el local comercial en San Pedro"),
            Said(day(-9, "8:47"), "Con gusto, Allan. ¿Le parece si lo vemos esta semana?", DANIELA),
            Said(day(-9, "9:03"), "Le confirmo cuando vuelva de viaje"),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(-2, "9:00"),
                DANIELA,
                day(-9, "9:10"),
                tries=(Try(day(-2, "9:00"), 131049),),
                failure=FailureKind.PERMANENT,
            ),
            FollowUp(
                "listing_followup",
                (),
                day(7, "9:00"),
                DANIELA,
                day(-2, "9:40"),
                note="Vuelve de viaje la otra semana.",
                cancel_on_reply=True,
            ),
        ),
    ),
    Conversation(
        "Marta Brenes",
        "+50684550921",
        (
            Said(day(-6, "14:00"), "¿El {day-2} puedo ver la casa de Moravia?"),
            Said(day(-6, "14:18"), "Le confirmo el {day-3} por la tarde", ANDRES, Delivery.DELIVERED),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(-1, "10:00"),
                ANDRES,
                day(-6, "14:20"),
                delivery=Delivery.SENT,
            ),
        ),
        assignee=ANDRES,
    ),
    Conversation(
        "Óscar Villalobos",
        "+50686672043",
        (
            Said(day(-7, "19:02"), "Buenas noches, ¿el apartamento de Sabana Norte tiene ascensor?"),
            Said(day(-6, "8:15"), "Buenos días, Óscar. Sí, y parqueo techado.", VALERIA),
            Said(day(-5, "12:30"), "¿La cuota de mantenimiento está incluida?"),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(4, "9:00"),
                VALERIA,
                day(-6, "8:20"),
                cancel_on_reply=True,
                canceled=day(-5, "12:30"),
                cause=CancelCause.REPLY,
            ),
            FollowUp(
                "visit_reminder",
                ("Óscar", "el apartamento SN-140 en Sabana Norte", "{day+2} a las 11:00 am"),
                day(1, "9:00"),
                ANDRES,
                day(-5, "13:00"),
                note="Llevar el detalle de la cuota de mantenimiento.",
            ),
        ),
        assignee=VALERIA,
    ),
    Conversation(
        "Priya Raman",
        "+447700900123",
        (
            Said(day(-9, "9:30"), "Which documents do you need from us for the contract?"),
            Said(day(-9, "9:58"), "A copy of each passport and proof of funds, Priya.", VALERIA),
            Said(day(-8, "15:12"), "Thank you! Sending the passport copy today"),
        ),
        (
            FollowUp(
                "visit_reminder_en",
                ("Priya", "our office in Escazú", "{day-9} at 9:30 AM"),
                day(-10, "9:00"),
                VALERIA,
                day(-16, "10:00"),
                delivery=Delivery.READ,
            ),
            FollowUp(
                "visit_reminder_en",
                ("Priya", "the notary’s office in Escazú", "{day+3} at 2:00 PM"),
                day(2, "10:00"),
                VALERIA,
                day(-8, "15:20"),
                note="Signing. Both buyers have to bring their passports.",
            ),
        ),
        language="en",
        assignee=VALERIA,
    ),
    Conversation(
        "Laura Chaves",
        "+50685406612",
        (
            Said(day(-5, "10:05"), "Hola, ¿siguen con la casa de San Rafael?"),
            Said(day(-5, "10:22"), "¡Hola, Laura! Sí. Se la podemos enseñar cuando guste.", DANIELA),
            Said(day(-5, "10:40"), "El {day+1} después de las 3"),
        ),
        (
            FollowUp(
                "visit_reminder",
                ("Laura", "la casa SR-215 en San Rafael", "{day+1} a las 3:30 pm"),
                ago(8),
                DANIELA,
                day(-5, "10:45"),
                tries=(Try(ago(8), 131000), Try(ago(3), 131000)),
                next_try=ahead(12),
            ),
            FollowUp(
                "listing_followup",
                (),
                day(-16, "9:00"),
                DANIELA,
                day(-23, "11:00"),
                failure=FailureKind.MISSED,
            ),
        ),
        status="in_progress",
        assignee=DANIELA,
    ),
    Conversation(
        "Mariana Salas",
        SPECIAL["replies"],
        (
            Said(day(-4, "16:00"), "¿Podemos ver de nuevo el apartamento de Escalante?"),
            Said(day(-4, "16:11"), "Claro que sí, Mariana. ¿Mañana en la tarde?", ANDRES),
            Said(ago(300), "Mejor mañana a las 5, si se puede"),
            Said(ago(290), "Perfecto, ahí nos vemos.", ANDRES),
        ),
        (
            FollowUp(
                "visit_reminder",
                ("Mariana", "el apartamento BE-063 en Barrio Escalante", "{day+1} a las 5:00 pm"),
                soon(100),
                ANDRES,
                day(-5, "16:15"),
            ),
            FollowUp(
                "visit_reminder",
                ("Mariana", "el apartamento BE-063 en Barrio Escalante", "{day-10} a las 2:00 pm"),
                day(-11, "9:00"),
                ANDRES,
                day(-17, "9:30"),
                tries=(Try(day(-11, "9:00"), None),),
                failure=FailureKind.UNKNOWN,
            ),
        ),
        status="in_progress",
        assignee=ANDRES,
    ),
    Conversation(
        "Hannah Lindqvist",
        "+46701234567",
        (
            Said(day(-7, "6:50"), "Hi, is the beach house in Nosara for sale or only for rent?"),
            Said(day(-7, "8:05"), "Good morning, Hannah! It is for sale.", VALERIA),
            Said(day(-7, "8:20"), "Great, we’ll be back in the area soon"),
        ),
        (
            FollowUp(
                "visit_reminder_en",
                ("Hannah", "the beach house in Nosara", "{day+1} at 8:30 AM"),
                ago(2),
                VALERIA,
                day(-7, "8:25"),
                tries=(Try(ago(1), None),),
                in_doubt_until=ahead(9),
            ),
            FollowUp(
                "new_listing",
                ("Nosara", "Hannah", "beach house"),
                day(21, "11:00"),
                VALERIA,
                day(-7, "8:30"),
            ),
        ),
        language="en",
    ),
    Conversation(
        "Álvaro Montenegro",
        "+50688345590",
        (
            Said(day(-13, "11:11"), "Todavía estoy vendiendo el apartamento, les aviso"),
            Said(day(-13, "11:30"), "Sin prisa, don Álvaro. La reserva sigue a su nombre.", ANDRES),
        ),
        (
            FollowUp(
                "payment_reminder",
                ("Álvaro", "la casa PI-014 en Pinares", "{day+47}", "PI-014"),
                day(45, "9:00"),
                ANDRES,
                day(-13, "11:35"),
                note=LONG_NOTE,
            ),
            FollowUp(
                "payment_reminder",
                ("Álvaro", "la casa PI-014 en Pinares", "{day-12}", "PI-014"),
                day(-14, "9:00"),
                ANDRES,
                day(-21, "9:00"),
                delivery=Delivery.READ,
            ),
        ),
        assignee=ANDRES,
    ),
    Conversation(
        "Mauricio Retana",
        "+50687780045",
        (
            Said(day(-20, "9:15"), "¿Tienen fincas en Turrialba?"),
            Said(day(-20, "9:40"), "Por ahora no, Mauricio. Le aviso apenas entre alguna.", VALERIA),
            Said(day(-10, "20:05"), "Ya compré, gracias. No me escriban más por favor."),
        ),
        (
            FollowUp(
                "listing_followup",
                (),
                day(11, "9:00"),
                VALERIA,
                day(-20, "9:45"),
                canceled=day(-10, "20:06"),
                cause=CancelCause.OPT_OUT,
            ),
        ),
        status="closed",
        opted_out=day(-10, "20:06"),
    ),
)

COSTA = (
    Conversation(
        "Gloria Espinoza",
        "+50687114020",
        (
            Said(day(-2, "9:00"), "¿La cabaña de Uvita está libre para Semana Santa?"),
            Said(day(-2, "9:20"), "Sí, Gloria. Se la puedo apartar con el 30 %.", DANIELA),
            Said(ago(40), "Perfecto, hago el depósito hoy"),
        ),
        (
            FollowUp(
                "payment_reminder",
                ("Gloria", "la cabaña de Uvita", "{day+8}", "UVITA-3"),
                day(6, "9:00"),
                DANIELA,
                day(-2, "9:25"),
            ),
        ),
        unread=1,
    ),
)

AGENCIES = (
    Agency(
        "Casa Verde Bienes Raíces",
        "+506 2201 4455",
        "108455207700001",
        "208455207700001",
        {DANIELA: "admin", ANDRES: "agent", VALERIA: "agent", LUIS: "viewer"},
        CASA_VERDE,
        {
            "Buyer": "blue",
            "Seller": "violet",
            "Rental": "grey",
            "From abroad": "jade",
            "Visit booked": "green",
            "Reservation": "amber",
            "Documents missing": "red",
        },
        {
            "Horario de visitas": "Hola {name}, atendemos de lunes a sábado, de 9:00 a. m. a 5:00 p. m.",
            "Formas de pago": "Puede pagar por SINPE Móvil, transferencia o tarjeta.",
            "Requisitos de alquiler": "Para alquilar pedimos cédula, comprobante de ingresos y un fiador.",
        },
        presets=(
            ("Monday 8:30 AM", "weekday", 1, dt.time(8, 30)),
            ("Payday, the 15th", "day", 15, dt.time(9)),
        ),
    ),
    Agency(
        "Costa Alquileres",
        "+506 2643 0808",
        "108455207700002",
        "208455207700002",
        {DANIELA: "agent", LUIS: "admin"},
        COSTA,
    ),
)
