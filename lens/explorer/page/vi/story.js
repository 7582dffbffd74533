// The story of the run.

export const STORY = {
  "The story of this model": "Câu chuyện của mô hình này",
  "▶ The story of this model, in {count} cards": "▶ Câu chuyện của mô hình này, qua {count} thẻ",
  "Card {number}: {title}": "Thẻ {number}: {title}",
  "{number} of {count}": "{number} / {count}",
  "Back": "Lùi",
  "Next": "Tiếp",
  "Look around": "Tự khám phá",
  "Close the story": "Đóng câu chuyện",

  "It reads, and guesses what comes next": "Nó đọc, rồi đoán điều gì đến tiếp",
  "{run} reads this text ({prompt}) token by token; a token is a word, a piece of one or a character. After each it guesses the next.":
    "{run} đọc văn bản này ({prompt}) từng token một; token là một từ, một mảnh của từ hoặc một ký tự. Sau mỗi token, nó đoán token tiếp theo.",
  "Take {here}: the text goes on with {next}.": "Hãy xem {here}: văn bản tiếp tục bằng {next}.",
  "The same pair occurred {count} tokens earlier.": "Cặp này đã xuất hiện {count} token trước đó.",
  "The trained model gives {next} a probability of {share}.": "Mô hình đã huấn luyện cho {next} xác suất {share}.",
  "under .001": "dưới .001",
  "What comes after this?": "Sau đây là gì?",

  "Step {step}: where this training began": "Bước {step}: nơi lần huấn luyện này bắt đầu",
  "Untrained": "Chưa huấn luyện",
  "Untrained: no pattern yet": "Chưa huấn luyện: chưa có khuôn mẫu nào",
  "This is the same model before it learned anything. ": "Đây vẫn là mô hình ấy, khi chưa học được gì. ",
  "A head looks back from each token and shares out its attention, 1 in all, over the tokens so far.":
    "Từ mỗi token, một đầu attention nhìn lại và chia attention của nó, tổng bằng 1, cho các token đã đọc.",
  "A head looks from each token at all of them and shares out its attention, 1 in all.":
    "Từ mỗi token, một đầu attention nhìn vào mọi token và chia attention của nó, tổng bằng 1.",
  "Head {name} at {here}: the largest share is {max}; spread evenly over {count} tokens, each would get {even}.":
    "Đầu {name} tại {here}: phần lớn nhất là {max}; nếu chia đều cho {count} token thì mỗi token được {even}.",
  "The guess: {guess}, with a probability of {share}. The true next token gets {own}.":
    "Nó đoán: {guess}, với xác suất {share}. Token tiếp theo thật được {own}.",
  "Each row is a token that looks back, each column one that it may look at": "Mỗi hàng là một token nhìn lại, mỗi cột là một token nó có thể nhìn vào",

  "Step {step}: a head looks one token back": "Bước {step}: một đầu nhìn lùi một token",
  "Step {step}: a head finds the same token again": "Bước {step}: một đầu tìm lại đúng token ấy",
  "Step {step}: a head finds what came next last time": "Bước {step}: một đầu tìm ra điều từng đến tiếp theo",
  "Step {step}: a head rests on the first token": "Bước {step}: một đầu dừng ở token đầu tiên",
  "the token just before": "token ngay trước đó",
  "the same token, where it last stood": "chính token ấy, ở lần xuất hiện trước",
  "what followed the same token last time": "token từng đứng sau nó ở lần trước",
  "the very first token": "token đầu tiên",
  "At {query} head {name} now gives {weight} of its attention to {key}.": "Tại {query}, giờ đầu {name} dành {weight} attention cho {key}.",
  "On average {score} goes to {where}; this is the only step that was recorded.":
    "Trung bình {score} dành cho {where}; đây là bước duy nhất được ghi lại.",
  "On average {score} goes to {where}; this is the first step that was recorded.":
    "Trung bình {score} dành cho {where}; đây là bước đầu tiên được ghi lại.",
  "On average {score} goes to {where}; before it was not measured.": "Trung bình {score} dành cho {where}; trước đó chưa đo.",
  "On average {score} goes to {where}; at step {step} it was {before}.": "Trung bình {score} dành cho {where}; ở bước {step} mới là {before}.",
  "Its badge here: {label}.": "Nhãn của nó ở đây: {label}.",
  "From {threshold} on it has a badge here: {label}.": "Từ {threshold} trở lên, nó có một nhãn ở đây: {label}.",
  "So {query} can carry along what stood before it.": "Nhờ vậy {query} có thể mang theo điều đứng trước nó.",
  "So {query} can know that it stood here before.": "Nhờ vậy {query} có thể biết rằng nó từng xuất hiện.",
  "Often a head looks there when it has nothing to fetch.": "Đầu attention thường nhìn vào đó khi không có gì để lấy.",
  "Head {name} looks here": "Đầu {name} nhìn vào đây",
  "It needs head {name}": "Nó cần đầu {name}",
  "Does it need head {name}?": "Nó có cần đầu {name} không?",
  "This token knows what came before it": "Token này biết điều gì đứng trước nó",
  "To find it, a head has to know which token came before each: head {name}, in an earlier layer, looks just there.":
    "Để tìm ra nó, một đầu phải biết token nào đứng trước mỗi token: đầu {name}, ở một lớp sớm hơn, nhìn đúng vào đó.",
  "In the trained model, without head {name} the guess fails: the probability of {next} falls from {share} to {after}.":
    "Trong mô hình đã huấn luyện, thiếu đầu {name} thì đoán sai: xác suất của {next} giảm từ {share} xuống {after}.",
  "Whether it builds on that, these numbers do not show: in the trained model, without head {name}, {next} gets {after}.":
    "Nó có dựa vào điều đó hay không thì các con số này không cho biết: trong mô hình đã huấn luyện, thiếu đầu {name}, {next} được {after}.",

  "No head has formed a pattern": "Chưa đầu nào hình thành khuôn mẫu",
  "This page looks for four: heads that look one token back, at the first token, at the same token, or at what followed it.":
    "Trang này tìm bốn khuôn mẫu: đầu nhìn lùi một token, nhìn token đầu tiên, nhìn chính token ấy, hoặc nhìn token từng theo sau nó.",
  "None reaches {threshold} here.": "Ở đây không đầu nào đạt {threshold}.",
  "The closest is head {name}: on average {score} of its attention goes to {where} ({label}).":
    "Gần nhất là đầu {name}: trung bình {score} attention của nó dành cho {where} ({label}).",
  "A longer training may form one; a head can also do something that no measure here looks for.":
    "Huấn luyện lâu hơn có thể tạo ra một đầu như vậy; một đầu cũng có thể làm điều mà không chỉ số nào ở đây tìm đến.",
  "Head {name}, the closest": "Đầu {name}, gần nhất",

  "What head {name} writes": "Đầu {name} viết gì",
  "The model gives every token a score, its logit: the higher, the likelier. Each part of the model adds its share.":
    "Mô hình cho mỗi token một điểm, gọi là logit: càng cao thì càng dễ xảy ra. Mỗi phần của mô hình góp vào một ít.",
  "Here {target} is {total} ahead of {rival}, its strongest rival.": "Ở đây {target} hơn {rival}, đối thủ mạnh nhất của nó, {total}.",
  "Here {target} is {total} behind {rival}, its strongest rival.": "Ở đây {target} kém {rival}, đối thủ mạnh nhất của nó, {total}.",
  "Head {name} alone writes {own} for it; all other parts together {rest}.":
    "Riêng đầu {name} viết {own} cho nó; mọi phần khác cộng lại là {rest}.",
  "Head {name} by itself does nothing for it: it writes {own}; all other parts together {rest}.":
    "Tự mình đầu {name} không giúp gì cho nó: nó viết {own}; mọi phần khác cộng lại là {rest}.",
  "What head {name} adds, in logits": "Phần đầu {name} cộng vào, tính bằng logit",

  "Without it little changes": "Thiếu nó, gần như không đổi",
  "Without it the guess is better": "Thiếu nó, đoán lại tốt hơn",
  "Without it the guess is gone": "Thiếu nó, không đoán được nữa",
  "Without it the guess is worse": "Thiếu nó, đoán kém đi",
  "Silence head {name}: what it writes is set to zero, and the model reads the text again.":
    "Hãy tắt đầu {name}: những gì nó viết được đặt bằng 0, rồi mô hình đọc lại văn bản.",
  "The loss at {here}, its surprise at what comes next, goes from {loss} to {after}.":
    "Mất mát (loss) tại {here}, tức độ bất ngờ trước token tiếp theo, đi từ {loss} đến {after}.",
  "The probability of {next} goes from {share} to {after}.": "Xác suất của {next} đi từ {share} đến {after}.",
  "Over the whole text it changes by {mean} a token.": "Trên cả văn bản, mất mát thay đổi {mean} mỗi token.",
  "Now type a text of your own, or switch heads off yourself.": "Giờ hãy gõ văn bản của bạn, hoặc tự tay tắt các đầu.",
  "Now look around: choose another head, or move through the training.": "Giờ hãy tự khám phá: chọn một đầu khác, hoặc đi qua quá trình huấn luyện.",
  "The loss without head {name}, minus the loss": "Mất mát khi thiếu đầu {name}, trừ mất mát",
};
